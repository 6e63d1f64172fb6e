"""The command line: `podline --help` lists its commands.

A command imports what it needs when it runs, so that `podline lint` costs little more than linting.
"""

from podline.cli.main import app

__all__ = ["app"]
