"""MLServer's runtime of a model in ONNX; it runs in MLServer's environment, from a copy."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class OnnxModel(MLModel):  # type: ignore[misc]  # MLServer's types are not here
    """A session with the same options as an edge's."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = await get_model_uri(self._settings)
        self._session = onnxruntime.InferenceSession(path, options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = {one.name: NumpyCodec.decode_input(one) for one in payload.inputs}
        names = [one.name for one in self._session.get_outputs()]
        found = self._session.run(names, {k: v.astype("float32") for k, v in given.items()})
        outputs = [NumpyCodec.encode_output(n, v) for n, v in zip(names, found, strict=True)]
        return InferenceResponse(
            model_name=self.name,
            model_version=self._settings.parameters.extra["version"],
            outputs=outputs,
        )
