"""The extension: what Azure failed is sent again by going back, and the conditions only look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.extension import install
from activities.extension.install import extension_gone, extension_ready, install_extension
from activities.runtime import locks
from activities.runtime.step import StepAtWork
from activities.runtime.transitions import Call
from domain.arm_ids import EXTENSION
from domain.extension.wanted import EXTENSION_TYPE
from domain.operation.codec import encode
from domain.operation.outcomes import MOST_BACKS, Again, Back, Created, Done, Outcome, Stop
from domain.operation.record import Intent, Operation, StepRecord
from domain.operation.results import ExtensionSent, Resolved
from domain.problems import AzureAnswer
from gateways import clock
from gateways.azure import arm
from gateways.azure.arm import ArmAnswer
from gateways.azure.long_running import OVER, Progress
from gateways.storage import claims
from tests.making import CLUSTER_ID, make_operation

TARGET = f"{CLUSTER_ID}/providers/{EXTENSION}/azureml"
PASSES = AzureAnswer("ExtensionOperationFailed", "cannot re-use a name that is still in use", 400)


def ago(seconds: float) -> datetime:
    return clock.now() - timedelta(seconds=seconds)


def attach(sent: float, *, made: bool = True, started: float | None = None, **ready: Any) -> Operation:
    """An attach that sent its installation so many seconds ago."""
    value = encode(ExtensionSent(TARGET))
    begun = ago(sent + 5 if started is None else started)
    intents = (Intent("create", TARGET, ago(sent)),)
    steps = (
        StepRecord("resolve", "do", "Succeeded", value=encode(Resolved(cluster_location="westeurope"))),
        StepRecord("install_extension", "do", "Succeeded", 1, started=begun, intents=intents, value=value),
        replace(StepRecord("extension_ready", "until", "Waiting", 1, 14400.0, started=ago(sent)), **ready),
    )
    created = (Created(EXTENSION, TARGET),) if made else ()
    request = {"namespace": "default", "extension": {"configurationSettings": {"enableTraining": "True"}}}
    return make_operation(steps=steps, created=created, request=request)


def extension(state: str) -> dict[str, Any]:
    properties = {
        "extensionType": EXTENSION_TYPE,
        "provisioningState": state,
        "configurationSettings": {"enableTraining": "True"},
    }
    return {"id": TARGET, "name": "azureml", "properties": properties}


def at(step: str, given: Operation) -> StepAtWork:
    return StepAtWork(Call("op", 1, step, 14400.0, clock.now(), "until"), given)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Azure with an extension of that state, or none; the answer lists what is sent to it."""

    def make(state: str | None, error: AzureAnswer | None = None) -> list[str]:
        sent: list[str] = []

        def send(method: str) -> Any:
            def call(*_: Any) -> ArmAnswer:
                sent.append(method)
                return ArmAnswer(201, {})

            return call

        for method in ("put", "patch", "delete", "post"):
            monkeypatch.setattr(arm, method, send(method))
        body = None if state is None else extension(state)
        monkeypatch.setattr(arm, "find", lambda *_: None if body is None else ArmAnswer(200, body))
        monkeypatch.setattr(install, "find_extension", lambda _: body)
        monkeypatch.setattr(install, "poll", lambda _: Progress(OVER, error=error))
        monkeypatch.setattr(locks, "obtain", lambda *_: None)
        monkeypatch.setattr(locks, "reserve", lambda *_: None)
        monkeypatch.setattr(claims, "unreserve", lambda *_: None)
        monkeypatch.setattr(StepAtWork, "intend", lambda self, action, target: sent.append(action))
        return sent

    return make


def ready(world: Callable[..., list[str]], given: Operation, state: str | None = "Failed") -> Outcome:
    sent = world(state, PASSES)
    told = extension_ready(at("extension_ready", given))
    assert sent == []
    return told


def test_what_passes_is_gone_back_from_a_quarter_of_an_hour_after_it_was_sent(world: Callable[..., list[str]]) -> None:
    told = ready(world, attach(sent=1000))
    assert isinstance(told, Back)
    assert told.step == "install_extension"
    assert told.problem is not None
    assert told.problem.transient


@pytest.mark.parametrize(
    "text",
    [
        "conflicting operation in progress. Please try after sometime",
        'failed calling webhook: no endpoints available for service "azureml-ingress-nginx-controller-admission"',
        "an earlier operation for the helm chart is still in progress",
        "etcdserver: leader changed",
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_r15_r16_what_passes_inside_a_failed_installation_is_sent_again(
    world: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, text: str, nested: bool
) -> None:
    said, outer = AzureAnswer("X", text, 200), AzureAnswer("ExtensionOperationFailed", "The operation failed.", 200)
    for sent, expected in ((100, Again), (1000, Back)):
        world("Failed")
        progress = Progress(OVER, error=outer, inner=(said,)) if nested else Progress(OVER, error=said)
        monkeypatch.setattr(install, "poll", lambda _, progress=progress: progress)
        assert isinstance(extension_ready(at("extension_ready", attach(sent=sent))), expected)


def test_until_then_it_is_waited(world: Callable[..., list[str]]) -> None:
    told = ready(world, attach(sent=800))
    assert isinstance(told, Again)
    assert told.after is not None
    assert 0 < told.after <= 100


def test_a_person_who_retries_need_not_wait(world: Callable[..., list[str]]) -> None:
    assert isinstance(ready(world, attach(sent=5, failed_before=True)), Back)


def test_an_extension_of_somebody_else_is_not_sent_again(world: Callable[..., list[str]]) -> None:
    assert isinstance(ready(world, attach(sent=1000, made=False)), Stop)


def test_the_installation_is_sent_again_when_the_run_went_back(world: Callable[..., list[str]]) -> None:
    sent = world("Failed")
    told = install_extension(at("install_extension", attach(sent=1000, started=1)))
    assert isinstance(told, Done)
    assert sent == ["create", "put"]


def test_one_that_was_cut_short_is_not(world: Callable[..., list[str]]) -> None:
    sent = world("Failed")
    told = install_extension(at("install_extension", attach(sent=1000)))
    assert isinstance(told, Done)
    assert sent == []


def removal(asked: float | None, **gone: Any) -> Operation:
    intents = (Intent("delete", TARGET, ago(asked)),) if asked is not None else ()
    steps = (
        StepRecord("remove_extension", "do", "Succeeded", 1, started=ago(2000), intents=intents),
        replace(StepRecord("extension_gone", "until", "Waiting", 1, 7200.0, started=ago(100)), **gone),
    )
    return make_operation(kind="detach", request={"cleanUp": {"extension": True}}, steps=steps)


def looked(world: Callable[..., list[str]], state: str | None, given: Operation) -> Outcome:
    sent = world(state)
    told = extension_gone(at("extension_gone", given))
    assert sent == []
    return told


def test_a_removal_is_seen_through(world: Callable[..., list[str]]) -> None:
    assert looked(world, None, removal(10)) == Done(detail="removed")
    assert isinstance(looked(world, "Deleting", removal(1000)), Again)
    assert isinstance(looked(world, "Succeeded", removal(60)), Again)


def test_one_that_azure_does_not_do_is_asked_for_again_and_left_at_the_deadline(
    world: Callable[..., list[str]],
) -> None:
    told = looked(world, "Failed", removal(200))
    assert isinstance(told, Back)
    assert told.step == "remove_extension"
    assert isinstance(looked(world, "Failed", removal(200, backs=MOST_BACKS)), Again)
    left = looked(world, "Failed", removal(200, backs=MOST_BACKS, started=ago(7300)))
    assert isinstance(left, Done)
    assert [finding.check for finding in left.findings] == ["leftBehind"]


def test_where_none_was_removed_there_is_nothing_to_see(world: Callable[..., list[str]]) -> None:
    told = looked(world, "Succeeded", removal(None))
    assert isinstance(told, Done)
    assert told.skipped
