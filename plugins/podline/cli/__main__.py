"""`python -m podline.cli` is `podline`."""

from podline.cli import app

if __name__ == "__main__":
    app(prog_name="podline")
