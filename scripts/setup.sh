#!/bin/sh
# Finds the tools that everything else needs, and installs what the requirement files name. Called by the Makefile:
#   setup.sh check          one line and exit 1 unless there are Python and Node as needed
#   setup.sh python         .venv from requirements-dev.txt, with the first Python that fits
#   setup.sh node           node_modules from package-lock.json
#   setup.sh versions       the versions of Python that the app runs on, one a line
#   setup.sh find 3.12      prints the interpreter of a version, or exits 1
#   setup.sh venv 3.12      .venvs/3.12 from requirements-dev.txt, with the interpreter of that version
# PYTHON=/path/to/python picks the interpreter of .venv.
set -eu
cd "$(dirname "$0")/.."

VERSIONS="3.11 3.12 3.13"

fail() {
    echo "moor: $*" >&2
    exit 1
}

# The version of an interpreter that runs and can make virtual environments; nothing for any other. A pyenv shim is on
# the PATH also for versions that it then refuses to run, so only running tells.
version_of() {
    "$1" -c 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

fits() {
    case " $VERSIONS " in
    *" $1 "*) [ -n "$1" ] ;;
    *) return 1 ;;
    esac
}

# Interpreters that may be of a version: on the PATH, and of pyenv whether or not it is the version that pyenv has on.
candidates_of() {
    echo "python$1"
    echo python3
    echo python
    if command -v pyenv >/dev/null 2>&1; then
        for installed in $(pyenv versions --bare 2>/dev/null); do
            case "$installed" in
            "$1" | "$1".*) echo "$(pyenv prefix "$installed" 2>/dev/null)/bin/python" ;;
            esac
        done
    fi
}

find_version() {
    for candidate in $(candidates_of "$1"); do
        if [ "$(version_of "$candidate")" = "$1" ]; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

find_python() {
    for candidate in ${PYTHON:-python3 python}; do
        if fits "$(version_of "$candidate")"; then
            echo "$candidate"
            return
        fi
    done
    if [ -z "${PYTHON:-}" ]; then
        for version in 3.13 3.12 3.11; do
            if find_version "$version"; then
                return
            fi
        done
    fi
    fail "Python 3.11, 3.12 or 3.13 is needed (on Debian and Ubuntu with the package python3-venv), and" \
        "${PYTHON:-python3} is not that; install one or name it with PYTHON=."
}

check_node() {
    command -v node >/dev/null 2>&1 || fail "Node.js 20 or later is needed for Azurite, and there is no 'node' on the PATH."
    version=$(node --version 2>/dev/null) || fail "Node.js 20 or later is needed for Azurite; 'node' does not run."
    major=${version#v}
    major=${major%%.*}
    [ "$major" -ge 20 ] 2>/dev/null || fail "Node.js 20 or later is needed for Azurite; 'node' is $version."
    command -v npm >/dev/null 2>&1 || fail "npm is needed to install Azurite, and there is none on the PATH."
}

# Installs requirements-dev.txt into a virtual environment: only files whose hash stands there. Microsoft's worker
# library declares Python 3.13 and runs on 3.11 and 3.12 too, so there it is installed past its own declaration; what it
# needs is in requirements-dev.txt.
install_into() {
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
    if [ "$(version_of "$1/bin/python")" != 3.13 ]; then
        # Its lines of the lock, without the marker that leaves it out here.
        sed -n '/^azure-functions-runtime==/,/[^\\]$/{s/ *;[^\\]*/ /;p;}' requirements-dev.txt >"$1/worker.txt"
        "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            --ignore-requires-python -r "$1/worker.txt"
    fi
}

make_venv() {
    "$1" -m venv "$2" || fail "'$1 -m venv' failed; on Debian and Ubuntu the package python3-venv has what it needs."
}

case "${1:-}" in
check)
    [ -x .venv/bin/python ] || find_python >/dev/null
    check_node
    ;;
python)
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python)
        make_venv "$python" .venv
    fi
    echo "Installing Python packages into .venv (a few minutes the first time)"
    install_into .venv
    ;;
node)
    echo "Installing Azurite into node_modules"
    npm ci --no-audit --no-fund --loglevel=error
    ;;
versions)
    for version in $VERSIONS; do
        echo "$version"
    done
    ;;
find)
    find_version "${2:-}"
    ;;
venv)
    version=${2:-}
    fits "$version" || fail "'$version' is none of the versions $VERSIONS."
    python=$(find_version "$version") || fail "Python $version is not on this machine."
    target=.venvs/$version
    if [ "$(version_of "$target/bin/python")" != "$version" ]; then
        rm -rf "$target"
        mkdir -p .venvs
        make_venv "$python" "$target"
    fi
    # Installing again what is installed already takes half a minute: only what has changed is worth that.
    for file in requirements.txt requirements-dev.txt scripts/setup.sh; do
        if [ ! "$target/.installed" -nt "$file" ]; then
            echo "Installing Python packages into $target"
            install_into "$target"
            touch "$target/.installed"
        fi
    done
    ;;
*)
    fail "usage: scripts/setup.sh check | python | node | versions | find VERSION | venv VERSION"
    ;;
esac
