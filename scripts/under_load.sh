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

# Looks for the script now and then: a loop ends alone should the script be killed outright.
busy() {
    while kill -0 "$1" 2>/dev/null; do
        for ((n = 0; n < 200000; n++)); do :; done
    done
}

pids=()
end() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait
}
trap end EXIT
for ((i = 0; i < loops; i++)); do
    busy $$ &
    pids+=($!)
done
echo "$loops busy loops beside: $*" >&2
# In the foreground, so that Ctrl-C reaches it as ever.
status=0
"$@" || status=$?
exit "$status"
