# Installs requirements-$1.txt, compiled, and without what no stage uses.
set -eu
python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || {
    echo "the pinned requirements are for Python 3.13; the base image has $(python -V)" >&2
    exit 1
}
site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
before=$(mktemp)

pip install --no-compile --no-deps --only-binary=:all: --quiet \
    --disable-pip-version-check --root-user-action=ignore -r "/opt/podline/requirements-$1.txt"
echo /opt/podline/code >"$site/podline.pth"

# A third of the size: the libraries' own tests, the headers for extensions, and a C parser that
# TensorFlow asks for and does not use.
rm -rf "$site"/pandas/tests "$site"/pyarrow/tests "$site"/pyarrow/include \
    "$site"/tensorflow/include "$site"/clang
find "$site"/scipy "$site"/sklearn -type d -name tests -prune -exec rm -rf {} +

# Only what is new here: a file that is compiled again would be in two layers.
find "$site" -name '*.py' -cnewer "$before" -print0 |
    xargs -0 -P "$(nproc)" -n 500 python -m compileall -q --invalidation-mode unchecked-hash
rm "$before"
