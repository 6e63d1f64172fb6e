"""A version of a model that a device asks."""

from podline.models.manifest import Lineage, Manifest

MANIFEST = Manifest(
    name="household_power",
    version=1,
    created="2026-01-01T00:00:00+00:00",
    type="keras.Model",
    formats={},
    files=(),
    metrics={"rmse_network": 0.4},
    parameters={"horizon": 2},
    origin=Lineage(),
    libraries={},
)
