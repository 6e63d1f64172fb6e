"""podline: run a notebook as an Airflow pipeline of pods, and know where every second went."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podline.models.publishing import publish

__version__ = "0.2.0"
__all__ = ["__version__", "publish"]


def __getattr__(name: str) -> Any:
    # A notebook writes podline.publish; a DAG file that imports podline does not pay for it.
    if name == "publish":
        from podline.models.publishing import publish

        return publish
    raise AttributeError(f"module 'podline' has no attribute {name!r}")
