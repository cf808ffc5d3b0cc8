"""The file of outcomes: what is kept, continued and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.calls import Fault
from tests.faults.ledger import FAILED, PASSED, Ledger, LedgerError, Outcome
from tests.faults.strikes import Strike

STRIKE = Strike("attach", Fault.KILL_AFTER, "claim", "tables POST /$batch", 2)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "run" / "faults.jsonl")


def test_what_is_put_down_is_read_again(ledger: Ledger) -> None:
    assert ledger.begin(7, otherwise=1) == 7
    ledger.note_calls("attach", [("claim", "tables POST /$batch")])
    ledger.note(Outcome(STRIKE, FAILED, ("the end differs",), 3.25, ("resolve 1 arm GET /a",)))
    kept = ledger.read()
    assert (kept.seed, kept.calls) == (7, {"attach": [("claim", "tables POST /$batch")]})
    assert kept.of("attach") == [Outcome(STRIKE, FAILED, ("the end differs",), 3.25, ("resolve 1 arm GET /a",))]
    assert kept.of("attach")[0].command.endswith("--at 'claim 2 tables POST /$batch' --at 'resolve 1 arm GET /a'")
    assert kept.of("detach") == []


def test_the_later_of_two_outcomes_counts(ledger: Ledger) -> None:
    ledger.begin(None, otherwise=1)
    ledger.note(Outcome(STRIKE, FAILED))
    ledger.note(Outcome(STRIKE, PASSED))
    assert [outcome.result for outcome in ledger.read().of("attach")] == [PASSED]


def test_a_file_keeps_its_seed(ledger: Ledger) -> None:
    assert ledger.begin(None, otherwise=3) == 3
    assert ledger.begin(None, otherwise=4) == 3
    assert ledger.begin(3, otherwise=4) == 3
    with pytest.raises(LedgerError, match="has the seed 3"):
        ledger.begin(5, otherwise=4)


def test_a_line_that_was_cut_off_is_passed_over_and_spoils_no_other(ledger: Ledger) -> None:
    ledger.begin(7, otherwise=1)
    whole = ledger.path.read_bytes()
    ledger.note(Outcome(STRIKE, PASSED))
    ledger.path.write_bytes(ledger.path.read_bytes()[:-20])
    assert ledger.read().outcomes == {}
    assert ledger.begin(None, otherwise=1) == 7
    ledger.note(Outcome(STRIKE, PASSED))
    assert list(ledger.read().outcomes) == [STRIKE]
    assert ledger.path.read_bytes().startswith(whole)


def test_another_kind_of_file_is_not_written_to(ledger: Ledger) -> None:
    ledger.path.parent.mkdir()
    ledger.path.write_text("something else\n")
    with pytest.raises(LedgerError, match="has no seed"):
        ledger.begin(None, otherwise=1)
    assert ledger.path.read_text() == "something else\n"
