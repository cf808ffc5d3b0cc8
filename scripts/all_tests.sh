#!/bin/bash
# Runs every test: those that need no stack beside those that start stacks and hosts, so that each process of a run
# collects its own part only. What the first say is shown when the second have ended. Exits with 1 where one failed.
#   PYTHON=.venv/bin/python scripts/all_tests.sh
set -uo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-.venv/bin/python}
files=(tests/no_stack.txt tests/no_host.txt)
mapfile -t starting < <(sed 's/^--ignore=//' "${files[@]}")
said=$(mktemp)
beside=
end() {
    [ -z "$beside" ] || kill "$beside" 2>/dev/null || true
    rm -f "$said"
}
trap end EXIT
trap "exit 130" INT TERM

# Stacks wait most of the time: these tests take what the stacks leave of the machine.
nice -n 5 "$python" -m pytest -p no:schemathesis -n 2 --dist loadfile --no-loadscope-reorder "${files[@]/#/@}" >"$said" 2>&1 &
beside=$!
failed=0
"$python" -m pytest -n 4 --dist loadfile --no-loadscope-reorder "${starting[@]}" || failed=1
wait "$beside" || failed=1
beside=
echo "The tests that need no stack:"
cat "$said"
exit "$failed"
