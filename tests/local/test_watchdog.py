import signal
import subprocess
import sys
from pathlib import Path

import local.watchdog as watchdog


def test_minds_what_was_not_taken_back() -> None:
    assert watchdog.mind(["+11\n", "+12\n", "-11\n", "+13\n", "-99\n"]) == {12, 13}


def test_kills_a_group_when_its_writer_is_gone() -> None:
    with (
        subprocess.Popen(["sleep", "600"], start_new_session=True) as sleeper,
        subprocess.Popen(
            [sys.executable, "-S", str(Path(watchdog.__file__))], stdin=subprocess.PIPE, text=True, bufsize=1
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(f"+{sleeper.pid}\n")
        assert sleeper.poll() is None
        process.stdin.close()
        assert sleeper.wait(timeout=60) == -signal.SIGKILL
        assert process.wait(timeout=60) == 0
