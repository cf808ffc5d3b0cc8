#!/bin/bash
# Runs a command while busy loops take the machine's time, and ends them whatever happens.
#   scripts/under_load.sh 2 .venv/bin/python -m pytest tests/scenarios
set -euo pipefail

if [ $# -lt 2 ] || ! [[ $1 =~ ^[0-9]+$ ]]; then
    echo "usage: $0 LOOPS COMMAND [ARGUMENT ...]" >&2
    exit 2
fi
loops=$1
shift

# A loop looks for its parent now and then: it ends by itself should this script be killed outright.
busy() {
    while kill -0 "$1" 2>/dev/null; do
        for ((n = 0; n < 200000; n++)); do :; done
    done
}

pids=()
command=
end() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
}
trap end EXIT
# The command gets the signal too, and is waited for.
trap '[ -z "$command" ] || kill -TERM "$command" 2>/dev/null || true' INT TERM

for ((i = 0; i < loops; i++)); do
    busy $$ &
    pids+=($!)
done
echo "$loops busy loops beside: $*" >&2
"$@" &
command=$!
status=0
wait "$command" || status=$?
# A signal ends the wait before the command has ended.
if kill -0 "$command" 2>/dev/null; then
    wait "$command" || status=$?
fi
exit "$status"
