"""The table at the end."""

from __future__ import annotations

from tests.faults.calls import Fault
from tests.faults.ledger import FAILED, NOT_REACHED, PASSED, Kept, Outcome
from tests.faults.strikes import SHARE, Strike, strikes_of
from tests.faults.table import rows_of, table, told

CALLS = [("claim", "tables GET /a"), ("claim", "tables GET /a"), ("resolve", "tables GET /a")]
STRIKES = strikes_of("attach", CALLS, 7)
RESULTS = [PASSED, PASSED, FAILED, NOT_REACHED]
KEPT = Kept(7, {"attach": CALLS}, {s: Outcome(s, r, (), 30.0) for s, r in zip(STRIKES, RESULTS, strict=False)})


def test_the_table_has_every_operation_their_sums_and_the_seed() -> None:
    said = list(table(rows_of(KEPT, ["attach", "detach"], 7, SHARE), 7))
    assert said[0].split("  ")[0] == "operation"
    # Two distinct calls and one of the others, with four faults each.
    assert said[1].split() == ["attach", "3", "2", "12", "3", "2", "1", "1", "8", "2.0"]
    assert said[2].split() == ["detach", *["0"] * 8, "0.0"]
    assert said[3].split() == ["all", *said[1].split()[1:]]
    assert said[4] == "seed 7"
    assert len({len(line) for line in said[:4]}) == 1


def test_a_failure_names_the_command_that_repeats_it() -> None:
    strike = Strike("attach", Fault.KILL_BEFORE, "claim", "tables GET /a")
    said = list(told(Outcome(strike, FAILED, ("it hangs",), 2.5)))
    assert said[0] == "FAILED      attach, kill-before at claim 1 tables GET /a, 2.5 s"
    assert said[1].strip() == "it hangs"
    assert said[2].endswith(
        "python -m tests.faults --operation attach --fault kill-before --at 'claim 1 tables GET /a'"
    )
    assert list(told(Outcome(strike, PASSED))) == ["ok          attach, kill-before at claim 1 tables GET /a, 0.0 s"]
