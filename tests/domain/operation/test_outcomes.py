"""What an orchestrator gets to see of an outcome: what comes next, and nothing that a history should not hold."""

from __future__ import annotations

import json

from domain.operation.outcomes import (
    DONE,
    MOST_BACKS,
    RAISED,
    SUPERSEDED,
    Again,
    Back,
    Done,
    Stop,
    again,
    back,
    stop,
)
from domain.problems import AzureAnswer, Problem, problem_to_json


def test_each_answer_is_told_apart_by_its_kind() -> None:
    problem = Problem("AttachFailed", "no")
    answers = [DONE, SUPERSEDED, RAISED, again(5), back("install_extension"), stop(problem)]
    assert [each["kind"] for each in answers] == ["done", "superseded", "raised", "again", "back", "stop"]


def test_an_answer_survives_a_history() -> None:
    problem = Problem("AttachFailed", "no", "attach_compute", azure=AzureAnswer("C", "no", 409, "r", "c"))
    kept = json.loads(json.dumps(stop(problem)))
    assert kept["problem"] == problem_to_json(problem)
    assert json.loads(json.dumps(again(2.5))) == {"kind": "again", "after": 2.5}
    assert json.loads(json.dumps(back("a"))) == {"kind": "back", "step": "a"}


def test_a_step_that_is_done_says_no_more_than_it_was_told() -> None:
    done = Done()
    assert (done.value, done.created, done.findings, done.undone, done.ending, done.skipped) == (
        *(None, (), (), (), None),
        False,
    )


def test_a_url_that_may_be_signed_is_in_no_text() -> None:
    assert "signature" not in repr(Done(operation_url="https://x/y?s=signature"))


def test_back_off_and_deadline_are_the_steps_own_unless_an_outcome_says_otherwise() -> None:
    assert Again(None, "waits").after is None
    assert Back("install_extension", "it is gone").problem is None
    assert Stop(Problem("A", "b")).findings == ()
    assert MOST_BACKS == 5
