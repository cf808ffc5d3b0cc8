#!/bin/sh
# Finds the tools that everything else needs, and installs what the requirement files name. Called by the Makefile:
#   setup.sh check    one line and exit 1 unless there are Python and Node as needed
#   setup.sh python   .venv from requirements-dev.txt
#   setup.sh node     node_modules from package-lock.json
# PYTHON=/path/to/python picks an interpreter.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "moor: $*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or later is needed, and ${PYTHON:-python3} is not that; install it or name it with PYTHON=."
}

check_node() {
    command -v node >/dev/null 2>&1 || fail "Node.js 20 or later is needed for Azurite, and there is no 'node' on the PATH."
    version=$(node --version 2>/dev/null) || fail "Node.js 20 or later is needed for Azurite; 'node' does not run."
    major=${version#v}
    major=${major%%.*}
    [ "$major" -ge 20 ] 2>/dev/null || fail "Node.js 20 or later is needed for Azurite; 'node' is $version."
    command -v npm >/dev/null 2>&1 || fail "npm is needed to install Azurite, and there is none on the PATH."
}

case "${1:-}" in
check)
    [ -x .venv/bin/python ] || find_python >/dev/null
    check_node
    ;;
python)
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        "$python" -m venv .venv ||
            fail "'$python -m venv' failed; on Debian and Ubuntu the package python3-venv has what it needs."
    fi
    echo "Installing Python packages into .venv (a few minutes the first time)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
    ;;
node)
    echo "Installing Azurite into node_modules"
    npm ci --no-audit --no-fund --loglevel=error
    ;;
*)
    fail "usage: scripts/setup.sh check | python | node"
    ;;
esac
