"""The protocol's public client talks to an edge: `python triton_client.py HOST:PORT`."""

import sys

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

client = InferenceServerClient(sys.argv[1])
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready("power")
assert client.get_server_metadata()["name"] == "podline"
assert client.get_model_metadata("power")["inputs"][0]["name"] == "input"
assert [entry["state"] for entry in client.get_model_repository_index()] == ["READY"]
client.load_model("power")
rows = np.array([[1, 2, 3], [4, 5, 6]], "float32")
for binary in (True, False):
    given = InferInput("input", [*rows.shape], "FP32")
    given.set_data_from_numpy(rows, binary_data=binary)
    wanted = InferRequestedOutput("output", binary_data=binary)
    found = client.infer("power", [given], outputs=[wanted], request_id="7")
    assert found.get_response()["id"] == "7"
    answered = found.as_numpy("output")
    np.testing.assert_allclose(answered[1] / answered[0], 2.5, rtol=1e-4)
client.unload_model("power")
assert not client.is_model_ready("power")
client.load_model("power")
print("all answered")
