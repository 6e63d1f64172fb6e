"""State of the standard library's `logging`: loggers with their handlers, and what is for all."""

import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

from podline.runner.interpreter_state.kind import FOLDER, Foreign, Kind

_STREAMS = ("stdout", "stderr")
# The handlers that can be made again, and the attributes that hold the arguments that they took.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "logging.NullHandler": (),
    "logging.StreamHandler": (),
    "logging._StderrHandler": (),
    "logging.FileHandler": ("baseFilename", "encoding", "errors"),
    "logging.handlers.RotatingFileHandler": (
        "baseFilename",
        "encoding",
        "errors",
        "maxBytes",
        "backupCount",
    ),
}


class _Handler(NamedTuple):
    """A handler: its class, what it is made with, and what is set on it."""

    kind: str
    arguments: dict[str, Any]
    stream: str
    name: str | None
    level: int
    formatter: logging.Formatter | None
    filters: list[Any]


class _Logger(NamedTuple):
    """What is set on a logger."""

    level: int
    propagate: bool
    disabled: bool
    handlers: list[_Handler | Foreign]
    filters: list[Any]


_FRESH = _Logger(logging.NOTSET, True, False, [], [])
_FRESH_ROOT = _FRESH._replace(level=logging.WARNING)


def _take(folder: Path) -> dict[str, _Logger]:
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    states = {n: _read(x, folder) for n, x in loggers.items() if isinstance(x, logging.Logger)}
    return {n: state for n, state in states.items() if state != (_FRESH if n else _FRESH_ROOT)}


def _read(logger: logging.Logger, folder: Path) -> _Logger:
    return _Logger(
        logger.level,
        logger.propagate,
        logger.disabled,
        [_described(handler, folder) for handler in logger.handlers],
        logger.filters,
    )


def _described(handler: logging.Handler, folder: Path) -> _Handler | Foreign:
    kind = f"{type(handler).__module__}.{type(handler).__qualname__}"
    stream = getattr(handler, "stream", None) if kind == "logging.StreamHandler" else None
    name = str(getattr(stream, "name", "")).strip("<>") if stream else ""
    if kind not in _ARGUMENTS or (stream and name not in _STREAMS):
        to = f" that writes to {type(stream).__name__}" if stream else ""
        return Foreign(f"a handler of logs, {kind.removeprefix('__main__.')}{to}", id(handler))
    arguments: dict[str, Any] = {key: getattr(handler, key, None) for key in _ARGUMENTS[kind]}
    if "baseFilename" in arguments:
        arguments["baseFilename"] = arguments["baseFilename"].replace(str(folder), FOLDER)
    return _Handler(
        kind,
        arguments,
        name,
        handler.name,
        handler.level,
        handler.formatter,
        handler.filters,
    )


def _put(states: dict[str, Any], folder: Path) -> None:
    for name, state in states.items():
        logger = logging.getLogger(name)
        level, logger.propagate, logger.disabled, handlers, logger.filters = state or (
            _FRESH if name else _FRESH_ROOT
        )
        for old in logger.handlers[:]:
            logger.removeHandler(old)
        for handler in handlers:
            logger.addHandler(_made(handler, folder))
        logger.setLevel(level)


def _made(state: Any, folder: Path) -> logging.Handler:
    import logging.handlers

    module, _, name = state.kind.rpartition(".")
    # A file goes on: the stage before wrote the first part.
    arguments = {
        key.replace("baseFilename", "filename"): value for key, value in state.arguments.items()
    }
    if "filename" in arguments:
        arguments["filename"] = arguments["filename"].replace(FOLDER, str(folder))
        arguments["delay"] = True  # the notebook may have deleted it since
    if state.stream:
        arguments["stream"] = getattr(sys, state.stream)
    handler: logging.Handler = getattr(sys.modules[module], name)(**arguments)
    handler.name = state.name
    handler.setLevel(state.level)
    handler.setFormatter(state.formatter)
    handler.filters = state.filters
    return handler


def _own(name: str, source: str) -> bool:
    """Whether a logger is none of those that libraries set up when they are imported."""
    file = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None) or ""
    return not (name and file.startswith((sys.prefix, sys.base_prefix)) and name not in source)


# -- what is for all loggers


def _take_module(folder: Path) -> Any:
    factory, made = logging.getLogRecordFactory(), logging.getLoggerClass()
    return {
        "disabled up to": logging.root.manager.disable,
        "warnings": logging._warnings_showwarning is not None,  # type: ignore[attr-defined]
        "names": dict(logging._levelToName),
        "foreign": [
            Foreign(f"{what}, {value.__qualname__}", id(value))
            for what, value, usual in (
                ("a factory of log records", factory, logging.LogRecord),
                ("a class of loggers", made, logging.Logger),
            )
            if value is not usual
        ],
    }


def _put_module(state: Any, folder: Path) -> None:
    logging.disable(state["disabled up to"])
    logging.captureWarnings(state["warnings"])
    for level, name in state["names"].items():
        logging.addLevelName(level, name)


KINDS = (
    Kind("logging", "logging", _take_module, _put_module, deliberate="[lL]og"),
    Kind("loggers", "logging", _take, _put, split=True, own=_own, deliberate="[lL]og"),
)
