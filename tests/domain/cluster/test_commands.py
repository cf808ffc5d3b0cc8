"""Commands that a step has begun: kept beside the other operation URLs, and no other step's."""

from __future__ import annotations

from domain.cluster.commands import Command, commands_of, with_commands
from tests.making import NOW, make_operation

FIRST = Command("kubectl get pods --output json", NOW, True, "https://first?s=secret")
SECOND = Command("kubectl get namespaces", NOW, False, "https://second")


def test_a_step_finds_its_own_commands_again() -> None:
    operation = make_operation(operation_urls={"drain": "https://other"})
    begun = with_commands(with_commands(operation, "drain", [FIRST, SECOND]), "survey", [SECOND])
    assert commands_of(begun, "drain") == (FIRST, SECOND)
    assert commands_of(begun, "survey") == (SECOND,)
    assert commands_of(begun, "drai") == ()
    assert begun.operation_url("drain") == "https://other"
    ended = with_commands(with_commands(begun, "drain", []), "survey", [])
    assert ended.operation_urls == operation.operation_urls


def test_a_result_s_url_shows_nowhere() -> None:
    assert "secret" not in repr(FIRST)
    assert "secret" not in repr(with_commands(make_operation(), "drain", [FIRST]))
