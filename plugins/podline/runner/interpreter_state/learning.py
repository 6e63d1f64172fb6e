"""State of the libraries that learn: Keras with TensorFlow, and torch."""

import sys
from pathlib import Path
from typing import Any

from podline.runner.interpreter_state.kind import Kind, module

# -- Keras


def _take_keras_settings(folder: Path) -> Any:
    from keras import config
    from keras.src.backend.common import global_state

    policy = global_state.get_global_attribute("dtype_policy")  # None: not asked for yet
    return {
        "floatx": config.floatx(),
        "epsilon": config.epsilon(),
        "image_data_format": config.image_data_format(),
        "dtype_policy": policy.name if policy else config.floatx(),
    }


def _put_keras_settings(state: Any, folder: Path) -> None:
    from keras import config

    for name, value in state.items():
        getattr(config, f"set_{name}")(value)


def _take_keras(folder: Path) -> Any:
    """Keras' own seed, its global generator, and TensorFlow's seed with its counter."""
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils

    generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    state = {
        "seed": global_state.get_global_attribute(rng_utils.GLOBAL_RANDOM_SEED),
        "generator": None if generator is None else generator.state.numpy().tolist(),
    }
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context

        eager = context.context()
        rng = getattr(eager, "_rng", None)
        state["tensorflow"] = (eager._seed, rng.getstate() if rng else None)
    return state


def _put_keras(state: Any, folder: Path) -> None:
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils

    if state["seed"] is not None:
        global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, state["seed"])
    if state["generator"] is not None:
        generator = seed_generator.SeedGenerator(0)
        generator.state.assign(state["generator"])
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, generator)
    seed, rng = state.get("tensorflow", (None, None))
    if seed is not None:
        import tensorflow as tf
        from tensorflow.python.eager import context

        tf.random.set_seed(seed)
        if rng is not None:
            context.context()._rng.setstate(rng)


# -- torch


def _take_torch(folder: Path) -> Any:
    torch = module("torch")
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    state, seed = torch.get_rng_state(), torch.initial_seed()
    # As the import leaves it: a chance number of 53 bits, which nobody types, and nothing drawn.
    if seed >= 2**32 and torch.equal(state, torch.Generator().manual_seed(seed).get_state()):
        return {}
    return {"cpu": state.numpy(), "devices": [device.numpy() for device in devices]}


def _put_torch(state: Any, folder: Path) -> None:
    torch = module("torch")
    if state:
        torch.set_rng_state(torch.from_numpy(state["cpu"]))
        if state["devices"]:
            torch.cuda.set_rng_state_all([torch.from_numpy(s) for s in state["devices"]])


_SWITCHES = {
    "get_default_dtype": "set_default_dtype",
    "get_num_threads": "set_num_threads",
    "is_grad_enabled": "set_grad_enabled",
    "are_deterministic_algorithms_enabled": "use_deterministic_algorithms",
    "get_float32_matmul_precision": "set_float32_matmul_precision",
}


def _take_torch_settings(folder: Path) -> Any:
    torch = module("torch")
    printing = dict(vars(torch._tensor_str.PRINT_OPTS))
    return {"printing": printing, **{get: getattr(torch, get)() for get in _SWITCHES}}


def _put_torch_settings(state: Any, folder: Path) -> None:
    torch = module("torch")
    vars(torch._tensor_str.PRINT_OPTS).update(state["printing"])
    for get, put in _SWITCHES.items():
        getattr(torch, put)(state[get])


_KERAS = ("keras", "tensorflow")

KINDS = (
    Kind("keras", "keras", _take_keras, _put_keras, generator=True, words=_KERAS),
    Kind("keras.settings", "keras", _take_keras_settings, _put_keras_settings, words=_KERAS),
    Kind("torch", "torch", _take_torch, _put_torch, generator=True, words=("torch",)),
    Kind("torch.settings", "torch", _take_torch_settings, _put_torch_settings, words=("torch",)),
)
