"""Several stacks side by side, each in a process of its own that appends to the ledger what came of each strike."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType
from typing import Protocol

from local.fork_server import fork_server
from tests.faults.calls import Plan
from tests.faults.driver import Driver, Run
from tests.faults.fault_stack import fault_stack
from tests.faults.ledger import FAILED, NOT_REACHED, PASSED, Kept, Ledger, Outcome
from tests.faults.schedule import FIRST, Schedule, Task, Wanted
from tests.faults.strikes import Strike, named, together
from tests.faults.table import told

# One that was not reached may be another time: of two calls side by side either may come first.
_TRIES = 2
# Azurite gets slower with every row, and what one run leaves must not reach too many others.
_RUNS_PER_STACK = 80


class CalmRunFailed(Exception):
    """An operation without any fault did not end as it should: strikes of it would say nothing."""


@dataclass(frozen=True)
class Setting:
    """What every process needs to know.

    ``deadline`` is in seconds since the epoch, ``factor`` in simulated seconds per real one.
    """

    ledger: Ledger
    wanted: Wanted
    deadline: float | None
    verbose: bool
    factor: float

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self.deadline is not None and time.time() > self.deadline


def take_all(setting: Setting, stacks: int, say: Callable[[str], None]) -> Kept:
    """Have so many stacks work until nothing is left or the time is up; all that the ledger then has.

    An interrupt, or SIGTERM, ends each stack after the strike that it is at.
    """
    context = multiprocessing.get_context("spawn")
    stopped = context.Event()
    schedule = Schedule(setting.wanted, setting.ledger.read(), stacks)
    running: dict[Future[str], tuple[Task, float]] = {}
    try:
        with fork_server(), _ended_by(stopped), ProcessPoolExecutor(stacks, context, _begin, (stopped,)) as pool:
            while True:
                while len(running) < stacks and not setting.over and not stopped.is_set():
                    task = schedule.next()
                    if task is None:
                        break
                    running[pool.submit(work_off, task, setting)] = task, time.monotonic()
                if not running:
                    break
                for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    task, began = running.pop(future)
                    kept, error = setting.ledger.read(), future.result()
                    schedule.done(task, kept, time.monotonic() - began, broke_down=bool(error))
                    say(_progress(task, kept, error))
    except BrokenProcessPool as error:
        say(f"a process that drives a stack has died ({error}); start again to continue")
    for operation in schedule.given_up:
        say(f"{operation}: given up, its stacks broke down too often")
    return setting.ledger.read()


@contextmanager
def _ended_by(stopped: Event) -> Iterator[None]:
    """Let SIGINT and SIGTERM set ``stopped`` while the block runs."""

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_stopped: Event | None = None


def _begin(stopped: Event) -> None:
    """In each process: a terminal's signals are for the parent, which says when to stop.

    They are not ignored: what is ignored here, the programs of a stack would ignore too.
    """
    global _stopped
    _stopped = stopped
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def _is_to_stop(setting: Setting) -> bool:
    parent = multiprocessing.parent_process()
    orphaned = parent is not None and not parent.is_alive()
    return setting.over or orphaned or (_stopped is not None and _stopped.is_set())


def work_off(task: Task, setting: Setting) -> str:
    """Do one task on a stack of its own; the words of what broke it down, or nothing."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="faults-") as folder,
            _Stacks(Path(folder), task.operation, setting.factor) as stacks,
        ):
            strikes = _observe(stacks, setting) if task.observes else task.strikes
            for group in together(strikes):
                if _is_to_stop(setting):
                    break
                take(group, stacks, partial(_note, setting))
    except Exception as error:  # Whatever it is, the other stacks continue.
        return f"{type(error).__name__}: {error}"
    return ""


def _observe(stacks: _Stacks, setting: Setting) -> Sequence[Strike]:
    """Put down what the operation calls; the first strikes that follow from it."""
    setting.ledger.note_calls(stacks.operation, named(stacks.calm.calls))
    return setting.wanted.pending(setting.ledger.read(), stacks.operation)[:FIRST]


def _note(setting: Setting, outcome: Outcome) -> None:
    setting.ledger.note(outcome)
    if setting.verbose or outcome.result != PASSED:
        print("\n".join(told(outcome)), flush=True)


def strike_once(strikes: Sequence[Strike], factor: float) -> list[Outcome]:
    """What comes of some strikes in one run, on a stack for it alone. Raises CalmRunFailed, StackError."""
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as folder,
        _Stacks(Path(folder), strikes[0].operation, factor) as stacks,
    ):
        return _outcomes(strikes, *_run(strikes, stacks))


def take(strikes: Sequence[Strike], stacks: Striking, note: Callable[[Outcome], None]) -> bool:
    """Strike all in one run; where it fails, in smaller and smaller groups. Whether something has failed.

    A group that fails although none of its parts does is the failure of its first strike, beside the others.
    """
    run, seconds = _run(strikes, stacks)
    if not run.problems:
        outcomes = _outcomes(strikes, run, seconds)
        to_reach = [o.strike for o in outcomes if o.result == NOT_REACHED] if len(strikes) > 1 else []
        for outcome in outcomes:
            if outcome.strike not in to_reach:
                note(outcome)
        failed = [take([strike], stacks, note) for strike in to_reach]
        return any(failed)
    stacks.close()  # A failure may leave anything behind.
    half = len(strikes) // 2
    if half:
        failed = [take(part, stacks, note) for part in (strikes[:half], strikes[half:])]
        if any(failed):
            return True
    beside = tuple(strike.at for strike in strikes[1:])
    note(Outcome(strikes[0], FAILED, tuple(run.problems), seconds, beside))
    return True


def _run(strikes: Sequence[Strike], stacks: Striking) -> tuple[Run, float]:
    """A run in which they are struck; a single one that was not reached has another try."""
    began = time.monotonic()
    for _ in range(_TRIES if len(strikes) == 1 else 1):
        run = stacks.open().run(strikes[0].operation, *(strike.plan for strike in strikes))
        if run.struck is not None or run.problems:
            break
    return run, time.monotonic() - began


def _outcomes(strikes: Sequence[Strike], run: Run, seconds: float) -> list[Outcome]:
    results = [FAILED if run.problems else PASSED if call else NOT_REACHED for call in run.all_struck]
    results += [FAILED if run.problems else NOT_REACHED] * (len(strikes) - len(results))
    share, problems = seconds / len(strikes), tuple(run.problems)
    return [Outcome(strike, result, problems, share) for strike, result in zip(strikes, results, strict=True)]


class Striking(Protocol):
    """What strikes are made on: the driver of a stack, which is another one once it was closed."""

    def open(self) -> Runs:
        """The driver."""

    def close(self) -> None:
        """End the stack."""


class Runs(Protocol):
    """A driver."""

    def run(self, operation: str, plan: Plan | None, *more: Plan) -> Run:
        """One run of an operation, in which the planned calls are struck."""


class _Stacks:
    """A stack that is warm for one operation; once closed, the next that is asked for is another one.

    A failure may leave anything behind, and so would make others fail.
    """

    def __init__(self, folder: Path, operation: str, factor: float) -> None:
        self.operation = operation
        self._factor = factor
        self._folder = folder
        self._number = 0
        self._held = ExitStack()
        self._open: tuple[Driver, Run] | None = None
        self._runs = 0

    def __enter__(self) -> _Stacks:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def open(self) -> Driver:
        """The driver for the next run."""
        self._runs += 1
        if self._runs > _RUNS_PER_STACK:
            self.close()
        return self._opened()[0]

    @property
    def calm(self) -> Run:
        """The calm run."""
        return self._opened()[1]

    def _opened(self) -> tuple[Driver, Run]:
        if self._open is None:
            self._runs = 0
            self._number += 1
            self._open = self._held.enter_context(
                _warm(self._folder / f"stack-{self._number}", self.operation, self._factor)
            )
        return self._open

    def close(self) -> None:
        """End the stack."""
        self._open = None
        self._held.close()


@contextmanager
def _warm(folder: Path, operation: str, factor: float) -> Iterator[tuple[Driver, Run]]:
    with fault_stack(folder, factor=factor) as faults:
        driver = Driver(faults)
        try:
            driver.run(operation, None)
            calm = driver.calm(operation)
            if calm.problems:
                raise CalmRunFailed(f"{operation}: {'; '.join(calm.problems)}")
            yield driver, calm
        finally:
            driver.close()


def _progress(task: Task, kept: Kept, error: str) -> str:
    if error:
        return f"{task.operation}: a stack broke down: {error}"
    if task.observes:
        calls = kept.calls[task.operation]
        return f"{task.operation}: {len(calls)} calls, {len(set(calls))} distinct"
    outcomes = kept.of(task.operation)
    counts = ", ".join(
        f"{sum(o.result == result for o in outcomes)} {result}" for result in (PASSED, FAILED, NOT_REACHED)
    )
    return f"{task.operation}: {counts} so far"
