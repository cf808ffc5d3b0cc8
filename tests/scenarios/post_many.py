"""A process that sends one request many times at once; it is told on standard input what and when.

The first line is JSON: url, token, path, body, times. The second line is the start signal. The answer
is one JSON line: status and operation id of each answer.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from local.app_client import AppClient


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    app = AppClient(asked["url"], token=asked["token"])
    times = asked["times"]
    barrier = Barrier(times + 1)

    def send() -> tuple[int, str]:
        barrier.wait()
        answer = app.call("POST", asked["path"], asked["body"])
        return answer.status, answer.body.get("id") or json.dumps(answer.body)

    with ThreadPoolExecutor(times) as threads:
        answers = [threads.submit(send) for _ in range(times)]
        print("ready", flush=True)
        sys.stdin.readline()
        barrier.wait()
        print(json.dumps([answer.result() for answer in answers]), flush=True)


if __name__ == "__main__":
    main()
