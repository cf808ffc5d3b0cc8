from __future__ import annotations

from datetime import timedelta

import pytest

from activities.access.providers import planned_registrations, providers, providers_registered, register_providers
from activities.runtime.step import StepAtWork
from domain.operation.outcomes import Again, Back, Done
from domain.operation.record import Intent, StepRecord
from gateways import clock
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
    assert register_providers(registering()) == Done(detail=f"Azure registers {first}, {second}; no undo reverts that")
    assert (arm.calls, intents) == ([("POST", f"{PLACE}/{first}/register")], [("update", f"{PLACE}/{first}")])


def test_all_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    arm = azure(monkeypatch, "Registered", "registered")
    outcome = register_providers(registering())
    assert isinstance(outcome, Done)
    assert arm.calls == []


def waiting(asked: float) -> StepAtWork:
    """The condition, after the registration of the first was asked for so many seconds ago."""
    intent = Intent("update", f"{PLACE}/{providers(registering())[0]}", clock.now() - timedelta(seconds=asked))
    earlier = (StepRecord("register_providers", "do", "Succeeded", 1, intents=(intent,)),)
    return at_work("providers_registered", kind="until", earlier=earlier, request={"registerProviders": True})


def test_what_was_asked_for_is_waited_for_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = providers(registering())
    arm = azure(monkeypatch, "Registering", "Registered")
    assert providers_registered(waiting(1000)) == Again(20.0, f"Azure registers {first}")
    azure(monkeypatch, "NotRegistered", "Registered")
    assert isinstance(providers_registered(waiting(60)), Again)  # It may not show yet.
    azure(monkeypatch, "Registered", "Registered")
    assert providers_registered(waiting(60)) == Done(detail=f"registered: {first}, {second}")
    assert arm.calls == []


def test_a_registration_that_has_not_begun_is_asked_for_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    azure(monkeypatch, "NotRegistered", "Registered")
    told = providers_registered(waiting(1000))
    assert isinstance(told, Back)
    assert told.step == "register_providers"


def test_nothing_without_being_asked() -> None:
    assert register_providers(registering(asked=False)) == Done(detail="not asked for")
    assert planned_registrations(registering(asked=False), {"Microsoft.X": "NotRegistered"}) == []
