"""What tests over a delay link of this machine need, and that they are one after the other."""

import os
import shutil
from pathlib import Path

import pytest

MARKS = [
    pytest.mark.slow,
    pytest.mark.xdist_group("link"),  # its devices and namespace have fixed names
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("iptables") or not Path("/dev/net/tun").exists(),
        reason="a delay link needs root, iptables and /dev/net/tun",
    ),
]
