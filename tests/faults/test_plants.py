"""Planted bugs are found: by the checker, by the driver, by the canary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import canary
from tests.faults.calls import Fault, Plan
from tests.faults.canary import KeptAnswers
from tests.faults.driver import ATTACH, Driver
from tests.faults.fault_stack import fault_stack
from tests.faults.plants import (
    FORGOTTEN_INTENT,
    KEPT_CLAIM,
    SECRET_IN_INPUT,
    SIGNED_URL_IN_DETAIL,
    Plant,
    app_with,
)

pytestmark = pytest.mark.long


@contextmanager
def planted(plant: Plant, folder: Path) -> Iterator[Driver]:
    with fault_stack(folder / "stack", options={"app": app_with(plant, folder / "app")}) as faults:
        driver = Driver(faults)
        yield driver
        driver.close()


def test_a_step_that_forgets_its_intent_is_found(tmp_path: Path) -> None:
    with planted(FORGOTTEN_INTENT, tmp_path) as driver:
        calm = driver.calm(ATTACH)
        assert [problem.split(":")[0] for problem in calm.problems] == ["intent before effect"]
        # Without the intent the new process takes the compute for somebody else's: nothing would undo it.
        struck = driver.run(ATTACH, Plan(2, Fault.KILL_AFTER, "^arm PUT"))
        assert any(problem.startswith("the end differs in made") for problem in struck.problems)


def test_a_claim_that_is_never_given_back_is_found(tmp_path: Path) -> None:
    with planted(KEPT_CLAIM, tmp_path) as driver:
        problems = driver.run(ATTACH, None).problems
        assert {problem.split(":")[0] for problem in problems} == {"claims free"}


def test_a_secret_in_an_input_is_found(tmp_path: Path) -> None:
    with planted(SECRET_IN_INPUT, tmp_path) as driver:
        with KeptAnswers().kept() as answers:
            assert driver.run(ATTACH, None).problems == []
        leaks = canary.search(driver.stack, answers)
        assert {leak.secret for leak in leaks} == {"the identity header"}
        assert any("durable" in leak.where for leak in leaks)


def test_a_signed_url_that_is_told_is_found(tmp_path: Path) -> None:
    with planted(SIGNED_URL_IN_DETAIL, tmp_path) as driver:
        with KeptAnswers().kept() as answers:
            assert driver.run(ATTACH, None).problems == []
        leaks = canary.search(driver.stack, answers)
        assert {f"{name} of a signed operation URL" for name in "tcsh"} <= {leak.secret for leak in leaks}
        assert {"table operations"} < {leak.where for leak in leaks}
