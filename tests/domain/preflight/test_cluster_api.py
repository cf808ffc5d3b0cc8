"""The cluster's own API: what worries the checks, and near misses that pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.cluster.instance_types import IMPLICIT
from domain.cluster.legacy_objects import LEGACY_OBJECTS
from domain.cluster.objects import Found, marks
from domain.preflight.cluster_api import asks_for_objects, cluster_api, types_refused
from domain.preflight.facts import Legacy, Unread
from domain.problems import Problem
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import (
    DOWN,
    SEEN,
    UNSEEN,
    facts,
)

CLEAN = {"cleanupLegacy": True}
LEFT = Legacy(LEGACY_OBJECTS)
FOREIGN = Found("gpu", {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}}, {})
ASKED = {"name": "gpu", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}}
OTHER = {**ASKED, "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "4"}}}
OURS = marks("op")


CASES = (
    Case("kubernetesApi", "not reached", facts(kubernetes=UNSEEN), "unknown", "does not answer"),
    Case(
        "kubernetesApi", "not reached, and a namespace is to be made",
        facts(kubernetes=UNSEEN, request={"createNamespace": True}), "fail", "depends",
    ),
    Case(
        "kubernetesApi", "not reached, and instance types are to be made",
        facts(kubernetes=UNSEEN, request={"instanceTypes": [{"name": "a"}]}), "fail", "depends",
    ),
    Case("kubernetesApi", "has an outage", facts(kubernetes=DOWN), "unknown", "503"),
    Case("kubernetesApi", "reached", facts(request={"createNamespace": True}), "pass"),
    Case("namespace", "missing", facts(kubernetes=replace(SEEN, phase=None)), "fail", "no namespace default"),
    Case(
        "namespace", "missing and not ours to make",
        facts(
            kubernetes=replace(SEEN, phase=None, may_create_namespaces=False), request={"createNamespace": True}
        ),
        "fail", "may not create it",
    ),
    Case(
        "namespace", "missing, to be made",
        facts(kubernetes=replace(SEEN, phase=None), request={"createNamespace": True}), "pass", "will be created",
    ),
    Case("namespace", "on its way out", facts(kubernetes=replace(SEEN, phase="Terminating")), "pass", "waits"),
    Case("namespace", "not seen", facts(kubernetes=UNSEEN), "unknown"),
    Case(
        "instanceTypes", "there and different",
        facts(
            kubernetes=replace(SEEN, types_problem=Problem("InstanceTypeDiffers", "differs", remedy="Rename it.")),
            request={"instanceTypes": [{"name": "a"}]},
        ),
        "fail", "differs",
    ),
    Case("instanceTypes", "not seen", facts(kubernetes=UNSEEN, request={"defaultInstanceType": "a"}), "unknown"),
    Case("legacyObjects", "some", facts(kubernetes=replace(SEEN, legacy=LEFT)), "warning", "Deployment azureml-fe"),
    Case(
        "legacyObjects", "some, and the app may not delete them",
        facts(kubernetes=replace(SEEN, legacy=Legacy(LEFT.found, LEFT.found[:1])), request=CLEAN), "fail", "may not",
    ),
    Case(
        "legacyObjects", "some, to be removed",
        facts(kubernetes=replace(SEEN, legacy=LEFT), request=CLEAN), "pass", "To be removed",
    ),
    Case("legacyObjects", "none", facts(request=CLEAN), "pass"),
    Case("legacyObjects", "not seen", facts(kubernetes=UNSEEN), "unknown", "azureml-fe"),
    Case("legacyObjects", "not seen, to be removed", facts(kubernetes=UNSEEN, request=CLEAN), "fail", "depends"),
    Case(
        "legacyObjects", "may not be looked at",
        facts(kubernetes=replace(SEEN, legacy=Unread("secrets is forbidden"))), "unknown", "forbidden",
    ),
    Case("instanceTypes", "none asked for", facts(kubernetes=UNSEEN), "pass"),
    Case("instanceTypes", "there or to be made", facts(request={"instanceTypes": [{"name": "a"}]}), "pass"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.check}: {c.name}")
def test_a_check(case: Case) -> None:
    assert_judged(case)


def test_every_check_has_a_worry_and_a_near_miss() -> None:
    assert untested("domain.preflight.cluster_api", CASES) == set()


@pytest.mark.parametrize(
    ("request_", "there", "code"),
    [
        ({}, {"gpu": FOREIGN}, None),
        ({"instanceTypes": [OTHER]}, {}, None),
        ({"instanceTypes": [ASKED]}, {"gpu": FOREIGN}, None),
        ({"instanceTypes": [OTHER]}, {"gpu": FOREIGN}, "InstanceTypeDiffers"),
        ({"instanceTypes": [OTHER]}, {"gpu": replace(FOREIGN, annotations=OURS)}, None),
        ({"defaultInstanceType": "gpu"}, {}, "InstanceTypeMissing"),
        ({"defaultInstanceType": "gpu"}, {"gpu": FOREIGN}, None),
        ({"defaultInstanceType": "gpu", "instanceTypes": [ASKED]}, {}, None),
        ({"defaultInstanceType": IMPLICIT}, {}, None),
    ],
)
def test_types_that_cannot_be(request_: dict[str, Any], there: dict[str, Found], code: str | None) -> None:
    problem = types_refused(request_, there, {})
    assert (problem and problem.code) == code
    assert problem is None or "instance type gpu" in problem.message


@pytest.mark.parametrize(
    ("request_", "remedy"),
    [
        ({}, "Look from"),
        ({"createNamespace": True}, "Run the command"),
        ({"instanceTypes": [ASKED]}, "Run the command"),
    ],
)
def test_what_is_asked_of_a_cluster_out_of_reach_is_done_by_hand(request_: dict[str, Any], remedy: str) -> None:
    given = facts(kubernetes=UNSEEN, request=request_)
    assert asks_for_objects(given) == bool(request_)
    judged = cluster_api(given)
    assert str(judged.remedy).startswith(remedy)
    assert judged.command == UNSEEN.command
