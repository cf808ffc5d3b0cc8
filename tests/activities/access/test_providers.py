from __future__ import annotations

import pytest

from activities.access.providers import planned_registrations, providers, register_providers
from activities.runtime.step import StepAtWork
from domain.operation.outcomes import Again, Done
from tests.activities.making import FakeArm, at_work, watch_intents
from tests.making import SUB

PLACE = f"/subscriptions/{SUB}/providers"


def registering(asked: bool = True) -> StepAtWork:
    return at_work("register_providers", kind="until", request={"registerProviders": asked})


def azure(monkeypatch: pytest.MonkeyPatch, *states: str) -> FakeArm:
    names = providers(registering())
    bodies = {f"{PLACE}/{name}": {"registrationState": state} for name, state in zip(names, states, strict=True)}
    posts: dict[str, object] = {f"{PLACE}/{name}/register": {} for name in names}
    return FakeArm({**bodies, **posts}).install(monkeypatch)


def test_only_what_is_missing_is_asked_for_and_all_of_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = providers(registering())
    intents, arm = watch_intents(monkeypatch), azure(monkeypatch, "NotRegistered", "Registering")
    assert register_providers(registering()) == Again(20.0, f"Azure registers {first}, {second}")
    assert (arm.calls, intents) == ([("POST", f"{PLACE}/{first}/register")], [("update", f"{PLACE}/{first}")])


def test_all_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    arm = azure(monkeypatch, "Registered", "registered")
    outcome = register_providers(registering())
    assert isinstance(outcome, Done)
    assert arm.calls == []


def test_nothing_without_being_asked() -> None:
    assert register_providers(registering(asked=False)) == Done(detail="not asked for")
    assert planned_registrations(registering(asked=False), {"Microsoft.X": "NotRegistered"}) == []
