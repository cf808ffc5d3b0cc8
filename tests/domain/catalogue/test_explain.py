"""What a person gets to read: the true cause first, Azure's own words second, and a command that can be run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from domain.catalogue.entry import ATTACH, DETACH, EXTENSION, HEALTH, JOB, REQUEST
from domain.catalogue.explain import ENTRIES, GENERIC, explain, make_problem
from domain.operation.codec import encode
from domain.operation.facts import facts_of
from domain.operation.record import StepRecord
from domain.operation.results import Resolved
from domain.problems import AzureAnswer, answers_in
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID, make_operation

ROOT = Path(__file__).parents[3]
FACTS = facts_of(make_operation())
OTHER_SUBSCRIPTION = CLUSTER_ID.replace(SUB, "99999999-2222-3333-4444-555555555555")


def resolved(identity: str) -> StepRecord:
    return StepRecord("resolve", "do", value=encode(Resolved(workspace_identity=identity)))


def test_an_extension_that_is_not_seen_is_a_missing_role() -> None:
    said = AzureAnswer("BadRequest", "AzureML extension is not installed on the cluster: extension not installed.", 200)
    problem = explain(ATTACH, [said], FACTS)
    assert problem.code == "WorkspaceIdentityLacksRole"
    assert "Kubernetes Extension Contributor on cluster aks" in problem.message
    assert problem.azure == said
    assert problem.command is not None
    assert f'--role "Kubernetes Extension Contributor" --scope {CLUSTER_ID}' in problem.command
    assert f"$(az resource show --ids {WORKSPACE_ID}" in problem.command
    assert "<" not in problem.command


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({}, "WorkspaceIdentityLacksRole", "Azure Kubernetes Service Cluster Admin"),
        ({"steps": (resolved("UserAssigned"),)}, "WorkspaceIdentityLacksRole", "Service Cluster Admin"),
        ({"steps": (resolved("SystemAssigned"),)}, "AttachInternalError", "ruled out"),
        ({"cluster_id": OTHER_SUBSCRIPTION}, "AttachAcrossSubscriptions", "another subscription"),
        (
            {"cluster_id": OTHER_SUBSCRIPTION, "steps": (resolved("SystemAssigned"),)},
            "AttachAcrossSubscriptions",
            "another subscription",
        ),
    ],
)
def test_an_internal_server_error_is_told_apart_by_what_is_known(
    fields: dict[str, object], code: str, words: str
) -> None:
    for said in (AzureAnswer("InternalServerError", "Internal Server Error"), AzureAnswer("InternalServerError", None)):
        problem = explain(ATTACH, [said], facts_of(make_operation(**fields)))
        assert problem.code == code
        assert words in problem.message


def test_one_number_means_another_thing_in_another_situation() -> None:
    said = AzureAnswer("E45004", None)
    assert explain(HEALTH, [said], FACTS).code == "LegacyRouterRoles"
    assert explain(EXTENSION, [said], FACTS).code == "LegacyRouterRoles"
    assert explain(JOB, [said], FACTS).code == "TrainingNotEnabled"


def test_the_error_inside_an_error_is_what_counts() -> None:
    error = {
        "code": "BadRequest",
        "message": "The request is invalid.",
        "details": [
            {"code": "Other", "message": "x"},
            {
                "code": "KubernetesUnaccessible",
                "message": "Kubernetes error: AuthenticationException. Reason: InvalidCertificate",
            },
        ],
    }
    answers = answers_in(error)
    assert [a.code for a in answers] == ["BadRequest", "Other", "KubernetesUnaccessible"]
    problem = explain(ATTACH, answers, FACTS)
    assert problem.code == "ClusterCertificateRotated"
    assert problem.azure == answers[2]


@pytest.mark.parametrize(("situation", "generic"), GENERIC.items())
def test_what_is_not_known_is_repeated(situation: str, generic: object) -> None:
    said = AzureAnswer("Strange", "Something nobody has seen.", 400)
    problem = explain(situation, [said], FACTS)
    assert problem.code == GENERIC[situation].code
    assert "Something nobody has seen." in problem.message
    assert problem.azure == said
    silent = explain(situation, [], FACTS)
    assert silent.message.endswith("Azure gave no reason.")
    assert silent.azure is None


def test_an_answer_of_the_platform_is_known_in_every_situation() -> None:
    text = "The subscription is not registered to use namespace 'Microsoft.Relay'. See https://aka.ms/rps-not-found"
    for situation in GENERIC:
        problem = explain(situation, [AzureAnswer("MissingSubscriptionRegistration", text, 409)], FACTS)
        assert problem.code == "ProviderNotRegistered"
        assert problem.command == f"az provider register --namespace Microsoft.Relay --subscription {SUB} --wait"


def test_who_is_refused_depends_on_where() -> None:
    text = (
        "does not have authorization to perform action 'A/read' over scope '/subscriptions/s' or the scope is invalid"
    )
    assert explain(REQUEST, [AzureAnswer("AuthorizationFailed", text, 403)], FACTS).code == "MoorIdentityLacksRole"
    assert explain(DETACH, [AzureAnswer("AuthorizationFailed", text, 200)], FACTS).code == "AzureIdentityLacksRole"


def calls_of(name: str) -> list[tuple[Path, ast.Call]]:
    """Calls of a function in the product's own code, outside the catalogue."""
    found = []
    for part in ("domain", "activities", "orchestrators", "triggers", "gateways"):
        for path in sorted((ROOT / part).rglob("*.py")):
            if "catalogue" not in path.parts:
                tree = ast.parse(path.read_text("utf-8"))
                calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
                found += [(path, c) for c in calls if isinstance(c.func, ast.Name) and c.func.id == name]
    return found


def test_every_problem_is_made_from_the_catalogue() -> None:
    outside = [str(path) for path, call in calls_of("Problem") if path.name != "problems.py"]
    assert outside == []


def test_every_key_that_is_raised_is_in_the_catalogue() -> None:
    keys = {entry.key for entry in ENTRIES}
    calls = calls_of("make_problem")
    assert calls
    for path, call in calls:
        raised = [n.value for n in ast.walk(call.args[0]) if isinstance(n, ast.Constant)]
        assert set(raised) <= keys, path
    with pytest.raises(KeyError):
        make_problem("NoSuchKey", {})
