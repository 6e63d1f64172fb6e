"""Prints the labels of a target of the stage's image, as options of its build."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "plugins"))

from podline import __version__  # noqa: E402
from podline.contract import CONTRACT_VERSION  # noqa: E402

PYTHON = "3.13"  # the requirements' own, which install.sh insists on
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "tensorflow", "keras")


def labels(target: str) -> dict[str, str]:
    """Say which versions are inside."""
    requirements = (HERE / f"requirements-{target}.txt").read_text()
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", requirements, re.MULTILINE))
    inside = {name: pins[name] for name in LIBRARIES if name in pins}
    ours = {"contract": str(CONTRACT_VERSION), "python": PYTHON, **inside}
    return {
        "org.opencontainers.image.version": __version__,
        **{f"podline.{name}": version for name, version in ours.items()},
    }


if __name__ == "__main__":
    for name, value in labels(sys.argv[1]).items():
        print(f"--label={name}={value}")
