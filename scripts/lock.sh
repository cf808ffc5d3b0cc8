#!/bin/sh
# Makes requirements.txt and requirements-dev.txt: every package that requirements.in and requirements-dev.in lead to, in
# one version for each Python that the app runs on, with the hashes of all files that the index has of it - wheels of
# every platform, and the source. Versions stay as they are where the .in files allow it; ARGS such as
# "--upgrade-package NAME" or "--upgrade" go to uv. Needs the network.
set -eu
cd "$(dirname "$0")/.."

UV=uv==0.11.33

python=$(scripts/setup.sh find 3.11 || scripts/setup.sh find 3.12 || scripts/setup.sh find 3.13)
[ -x .venvs/lock/bin/python ] || "$python" -m venv .venvs/lock
.venvs/lock/bin/python -m pip install --quiet --disable-pip-version-check "$UV"

compile() {
    name=$1
    shift
    .venvs/lock/bin/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
        --no-emit-index-url --output-file "$name.txt" "$name.in" "$@"
    {
        echo "# Made by make lock from $name.in. A file whose hash is not here is not installed: pip checks all as soon as it"
        echo "# sees one hash."
        cat "$name.txt"
    } >"$name.tmp"
    mv "$name.tmp" "$name.txt"
}

compile requirements "$@"
compile requirements-dev --constraints requirements.txt "$@"
