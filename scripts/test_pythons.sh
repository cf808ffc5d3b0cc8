#!/bin/sh
# Runs the fast tests on every version of Python that the app runs on but that of .venv, and ends with one line for
# each. Exit 1 when tests fail on one, or when it cannot be set up. A version that is not on this machine is no failure,
# but a line of its own: whoever reads the summary sees what was not tried. Arguments go to pytest.
set -u
cd "$(dirname "$0")/.."

# Fast is what needs no stack, as in `make check`.
FAST="@tests/no_stack.txt @tests/no_host.txt"

main=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
summary="$main: left to 'make test', which runs everything on it"
failed=0

for version in $(scripts/setup.sh versions); do
    [ "$version" != "$main" ] || continue
    if ! scripts/setup.sh find "$version" >/dev/null; then
        line="$version: not found"
    elif ! scripts/setup.sh venv "$version"; then
        line="$version: FAILED to set up"
        failed=1
    else
        echo "The fast tests on Python $version"
        report=.venvs/$version/last-run.txt
        .venvs/"$version"/bin/python -m pytest -q -p no:schemathesis -n 3 --dist worksteal -m "not long and not azurite" $FAST "$@" >"$report" 2>&1
        code=$?
        last=$(sed -n '/ in [0-9.]*s/h;${x;s/=* *\(.*[^ =]\) *=*$/\1/p;}' "$report")
        if [ "$code" -eq 0 ]; then
            line="$version: passed ($last)"
        else
            cat "$report"
            line="$version: FAILED (${last:-exit code $code})"
            failed=1
        fi
    fi
    summary="$summary
$line"
done

echo "Python versions:"
echo "$summary" | sort
exit "$failed"
