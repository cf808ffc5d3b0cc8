"""Hostile texts in the answers of Azure: each place of each answer that Moor reads, and of the official examples."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from activities.access import relay, roles
from activities.checks import preflight
from activities.cluster import look_at_cluster, tagged
from activities.compute import attach, resolve
from activities.runtime import dependents, locks
from activities.runtime.step import StepAtWork
from activities.workloads import drain, endpoints, schedules, uses
from domain.arm_ids import checked_path
from domain.operation.codec import encode
from domain.operation.record import StepRecord
from domain.operation.results import Resolved
from gateways import clock, policy
from gateways.kubernetes import connection
from gateways.storage import cluster_events, cluster_wishes, record_list
from gateways.storage.record_list import Page
from tests.activities.hostile_azure import (
    ARC_ID,
    FQDN,
    HOSTILE,
    MANAGER,
    HostileAzure,
    forged,
    honest,
    install,
    misshapen,
)
from tests.activities.making import at_work
from tests.hostile.tally import Tally
from tests.making import CLUSTER_ID

# Where the app may connect to: Azure Resource Manager, the API of the cluster itself.
OWN = {MANAGER, FQDN}
ATTACH = {"namespace": "ml", "grantRoles": True, "extension": {}, "identity": {"type": "SystemAssigned"}}
DETACH = {"workloads": {"policy": "cancel", "endpoints": "delete"}}

# What reads answers, for an attach on a cluster and a detach.
ATTACHING: tuple[Callable[[StepAtWork], object], ...] = (
    relay.ensure_relay,
    roles.planned_grants,
    roles.grant_workspace_roles,
    roles.grant_compute_roles,
    attach.attach_compute,
    preflight.gather,
    lambda each: connection.connect(each.operation.cluster),
    lambda each: look_at_cluster._look(each.operation.cluster, {"now": "", "since": "2026-01-01T00:00:00+00:00"}),
)
DETACHING: tuple[Callable[[StepAtWork], object], ...] = (
    uses.survey,
    schedules.pause_schedules,
    drain.cancel_jobs,
    endpoints.delete_endpoints,
    lambda each: dependents.user_of_cluster(each.operation),
)
Work = tuple[Callable[[StepAtWork], object], dict[str, Any], str]
WORKS: list[Work] = [
    *((work, ATTACH, cluster) for work in ATTACHING for cluster in (CLUSTER_ID, ARC_ID)),
    *((work, DETACH, CLUSTER_ID) for work in DETACHING),
]


class _Serial:
    """In place of a pool of threads, which costs more than the work."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> _Serial:
        return self

    def __exit__(self, *_: object) -> None: ...

    def map(self, function: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
        return [function(value) for value in values]


def quieten(patch: pytest.MonkeyPatch) -> None:
    """Tables, claims and pauses are none of this."""
    patch.setattr(StepAtWork, "intend", lambda *_: None)
    for name in ("obtain", "reserve", "changing"):
        patch.setattr(locks, name, lambda *_: None)
    patch.setattr(record_list, "page", lambda *_: Page((), None))
    patch.setattr(cluster_events, "read", lambda *_: None)
    patch.setattr(cluster_events, "set_gone", lambda *_: None)
    patch.setattr(clock, "pause", lambda seconds: None)
    # A policy that gives events everything, so that tags are read to their end.
    patch.setattr(policy, "entry_for_events", lambda workspace: object())
    patch.setattr(tagged, "refusals", lambda *_: [])
    patch.setattr(cluster_wishes, "read", lambda *_: None)
    patch.setattr(cluster_wishes, "put", lambda *_: None)


@contextmanager
def thin_azure(bodies: dict[str, Any]) -> Iterator[HostileAzure]:
    """An Azure that costs little a call, with the works' own surroundings quiet."""
    with pytest.MonkeyPatch.context() as patch:
        quieten(patch)
        patch.setattr(preflight, "ThreadPoolExecutor", _Serial)
        yield install(HostileAzure(bodies), patch, thin=True)


def step(name: str, cluster: str, request: dict[str, Any], tally: Tally | None = None) -> StepAtWork:
    """A step of an operation after ``resolve``, which reads the answers as they are at the moment."""
    return at_work(name, cluster_id=cluster, request=request, earlier=_resolved(cluster, request, tally or Tally()))


def _resolved(cluster: str, request: dict[str, Any], tally: Tally) -> tuple[StepRecord, ...]:
    left = None
    try:
        left = resolve.resolve(at_work("resolve", cluster_id=cluster, request=request))
    except Exception as error:
        tally.raised(error)
    value = getattr(left, "value", None) or Resolved(cluster_location="westeurope")
    return (StepRecord("resolve", "do", "Succeeded", value=encode(value)),)


def take(works: Iterable[Work], azure: HostileAzure, tally: Tally | None = None) -> list[set[str]]:
    """Do the works with what ``resolve`` makes of the answers; the paths that each of them read, and resolve before."""
    read, tally = [], tally or Tally()
    steps: dict[tuple[int, str], StepAtWork] = {}
    resolving: dict[tuple[int, str], set[str]] = {}
    for work, request, cluster in works:
        key = (id(request), cluster)
        if key not in steps:
            azure.urls.clear()
            steps[key] = step("x", cluster, request, tally)
            tally.calls += len(azure.urls)
            resolving[key] = azure.paths
        azure.urls.clear()
        try:
            work(steps[key])
        except Exception as error:
            tally.raised(error)
        tally.calls += len(azure.urls)
        read.append(azure.paths | resolving[key])
    return read


def _judge(azure: HostileAzure, tally: Tally) -> None:
    tally.foreign |= azure.hosts - OWN
    for path in azure.all_paths:
        checked_path(path)
    azure.all_paths.clear()


def try_answers(tally: Tally, share: float = 1.0, seed: int = 0) -> None:
    """Each place of each honest answer with each text, or a share of them; only what reads the answer is done."""
    _try(
        ((p, place, text, bodies) for text in HOSTILE for p, place, bodies in forged(honest(), text)),
        tally,
        share,
        seed,
    )


def try_types(tally: Tally, share: float = 1.0, seed: int = 0) -> None:
    """Each value of each honest answer as one of another type, or a share of them."""
    _try(((p, place, repr(odd), bodies) for p, place, odd, bodies in misshapen(honest())), tally, share, seed)


def _try(inputs: Iterable[tuple[str, str, str, dict[str, Any]]], tally: Tally, share: float, seed: int) -> None:
    chance = Random(seed)
    with thin_azure(honest()) as azure:
        readers = list(zip(WORKS, take(WORKS, azure, tally), strict=True))
        of_path = {path: [work for work, read in readers if path in read] for path in honest()}
        for path, place, text, bodies in inputs:
            if chance.random() >= share:
                continue
            azure.bodies = bodies
            take(of_path[path], azure, tally)
            tally.tried(f"{path} {place}", text)
            _judge(azure, tally)


def examples() -> Iterator[tuple[str, Any]]:
    """The bodies of the official examples, where they are at hand (SIMULATED_AZURE_EXAMPLES)."""
    folder = Path(os.environ.get("SIMULATED_AZURE_EXAMPLES") or Path(__file__).parents[3] / "shared" / "azure-examples")
    for path in sorted(folder.rglob("*.json")) if folder.is_dir() else []:
        responses = json.loads(path.read_text("utf-8")).get("responses")
        for status, answer in (responses or {}).items():
            if isinstance(answer, dict) and isinstance(answer.get("body"), dict):
                yield f"{path.parent.name}/{path.stem} {status}", answer["body"]


def try_examples(tally: Tally, share: float = 1.0, seed: int = 0, places: bool = True) -> int:
    """Each example as the answer to everything: all of its texts forged at once, then (``places``) one after another.

    Answers how many examples there are.
    """
    chance, found = Random(seed), list(examples())
    with thin_azure({}) as azure:
        for number, (name, body) in enumerate(found):
            # Without a next page: each would be the same page again.
            page = {**(body if "value" in body else {**body, "value": [body]}), "nextLink": None}
            inputs = [("all", text, all_forged(page, text)) for text in HOSTILE]
            if places:
                text = HOSTILE[number % len(HOSTILE)]
                inputs += [(place, text, bodies["x"]) for _, place, bodies in forged({"x": page}, text)]
            for place, text, answer in inputs:
                if chance.random() >= share:
                    continue
                azure.anything = answer
                take(WORKS, azure, tally)
                tally.tried(f"{name} {place}", text)
                _judge(azure, tally)
    return len(found)


def all_forged(body: Any, text: str) -> Any:
    """A body with every text that looks like an id, a host or a URL forged."""
    if isinstance(body, dict):
        return {key: all_forged(value, text) for key, value in body.items()}
    if isinstance(body, list):
        return [all_forged(value, text) for value in body]
    return text.replace("{}", body) if isinstance(body, str) and ("/" in body or "." in body) else body
