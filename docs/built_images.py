"""Lists the Debian packages of built images, and what Debian has mended of them since.

``make audit-images`` runs it: an SBOM of each (CycloneDX, in build/sbom), and the packages of which
Debian's security archive has a newer version. It ends with 1 where there are any, and with 2 where
that archive is not reached.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from docs import sboms, tool

# Whatever builds images can look into them: nothing is run but apt, and no image is left. The
# security archive lies beside the one that the image has its packages from.
_LOOK = """
FROM {image} AS image
USER 0
RUN . /etc/os-release \\
    && apt-get update -qq -o APT::Update::Error-Mode=any \\
    && archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1) \\
    && echo "deb ${{archive%/}}-security $VERSION_CODENAME-security main" \\
        >/etc/apt/sources.list.d/security.list \\
    && apt-get update -qq -o APT::Update::Error-Mode=any \\
    && apt-get --simulate -qq dist-upgrade >/mended || echo unreached >/mended
FROM scratch
COPY --from=image /mended /mended
COPY --from=image /var/lib/dpkg/status /var/lib/dpkg/status
"""
_MENDED = re.compile(r"^Inst (\S+) \[(\S+)\] \((\S+)", re.MULTILINE)


def look(image: str, builder: str, folder: Path) -> None:
    """Copy out of an image what it has of Debian's packages, and what Debian has mended.

    Args:
        image: its name.
        builder: the program that builds images.
        folder: where `mended` and `var/lib/dpkg/status` come.
    """
    file = folder / "Dockerfile"
    file.write_text(_LOOK.format(image=image))
    output = f"type=local,dest={folder / 'root'}"
    command = [builder, "build", "-q", "-f", str(file), "--output", output, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    if left := done.stdout.split():  # Docker keeps no image of what it has copied out
        subprocess.run([builder, "rmi", left[-1]], check=True, stdout=subprocess.DEVNULL)


def mended(text: str) -> list[str]:
    """What apt would bring up to date: a line for each package."""
    return [f"{name} {old}: mended in {new}" for name, old, new in _MENDED.findall(text)]


def write(image: str, root: Path) -> Path:
    """Write the SBOM of an image's Debian packages; returns where."""
    name, _, version = image.rpartition("/")[2].partition(":")
    target = sboms.FOLDER / f"{name.removeprefix('podline-')}-debian"
    sboms.FOLDER.mkdir(parents=True, exist_ok=True)
    about = ("--distro-name", name, "--distro-version", version)
    command = ("debsbom", "generate", "-t", "cdx", "-r", str(root), "-o", str(target), *about)
    tool.output("debsbom[cdx]==0.10.2", *command)
    return target.with_name(f"{target.name}.cdx.json")


def main(images: list[str], builder: str) -> int:
    """Look at images; returns the exit code."""
    codes = {0}
    for image in images:
        with tempfile.TemporaryDirectory() as folder:
            look(image, builder, Path(folder))
            root = Path(folder, "root")
            print(f"{image}: {write(image, root)}")
            text = (root / "mended").read_text()
        if "unreached" in text:
            print("  Debian's security archive is not reached")
            codes.add(2)
        elif found := mended(text):
            print(*(f"  {line}" for line in found), sep="\n")
            codes.add(1)
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ["BUILDER"]))
