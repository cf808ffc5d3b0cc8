"""What a person gets to read: the true cause first, Azure's own words second, and a command that can be run."""

from __future__ import annotations

import ast
import json
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
ARC_ID = CLUSTER_ID.replace("Microsoft.ContainerService/managedClusters", "Microsoft.Kubernetes/connectedClusters")
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


def test_no_role_of_aks_is_missing_on_an_arc_cluster() -> None:
    said = [AzureAnswer("InternalServerError", "Internal Server Error")]
    problem = explain(ATTACH, said, facts_of(make_operation(cluster_id=ARC_ID)))
    assert (problem.code, "Azure Relay Owner" in problem.message) == ("WorkspaceIdentityLacksRole", True)
    assert "Azure Kubernetes Service" not in f"{problem.message} {problem.remedy} {problem.command}"


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


CAUSE = "The virtual network link of zone privatelink.api.azureml.ms is missing"
WRAPPERS = ["InternalServerError", "Received an internal server error.", "The request is invalid.", "Bad Request", ""]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("code", ["InternalServerError", "BadRequest", "Failed"])
@pytest.mark.parametrize("key", ["details", "innererror"])
def test_r10_the_inner_cause_is_told(wrapper: str, code: str, key: str) -> None:
    for said, expected in [
        ({"code": "ClusterNotReachable", "message": "no"}, "ClusterNotReachable"),
        ({"code": "Unheard", "message": CAUSE}, "AttachFailed"),
    ]:
        problem = explain(
            ATTACH,
            answers_in(
                {"code": code, "message": wrapper, key: [said]}
                if key == "details"
                else {"code": code, "message": wrapper, key: said}
            ),
            FACTS,
        )
        assert problem.code == expected
        assert problem.azure == AzureAnswer(said["code"], said["message"], 200)
        assert expected != "AttachFailed" or CAUSE in problem.message


def test_r10_words_under_a_code_that_means_anything_are_the_cause() -> None:
    problem = explain(ATTACH, [AzureAnswer("InternalServerError", CAUSE)], FACTS)
    assert (problem.code, CAUSE in problem.message) == ("AttachFailed", True)


def test_r10_json_in_a_text_is_repeated_as_what_it_says() -> None:
    inner = '{"error": {"code": "X", "message": "' + CAUSE + '"}}'
    problem = explain(ATTACH, answers_in({"code": "BadRequest", "message": f"Response: {inner}"}), FACTS)
    assert problem.message == f"Azure ML did not attach the cluster: {CAUSE}"


def test_r10_a_wrapper_that_is_known_keeps_its_remedy_and_adds_what_is_inside() -> None:
    error = {
        "code": "GenericComputeError",
        "message": "Failed to get compute information.",
        "details": [{"code": "X", "message": CAUSE}],
    }
    problem = explain(ATTACH, answers_in(error), FACTS)
    assert problem.code == "ComputeInformationUnavailable"
    assert problem.message.endswith(f"Azure adds: {CAUSE}")
    error["details"] = [{"code": "ClusterNotFound", "message": "Cannot found Kubernetes cluster."}]
    assert explain(ATTACH, answers_in(error), FACTS).code == "ClusterNotFound"


def test_r10_the_ids_of_the_request_stay_with_the_cause() -> None:
    outer = AzureAnswer("InternalServerError", "", 200, "request", "correlation")
    problem = explain(ATTACH, [outer, AzureAnswer("X", CAUSE, 200)], FACTS)
    assert problem.azure == AzureAnswer("X", CAUSE, 200, "request", "correlation")


def test_r10_several_causes_are_told_within_bounds() -> None:
    said = [AzureAnswer("X", f"cause {n} " + "x" * 5000) for n in range(50)]
    problem = explain(ATTACH, said, FACTS)
    assert "cause 0" in problem.message
    assert "cause 49" in problem.message
    assert len(problem.message) < 7000


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        # Precise words in any tier come before a guess about what stands around them.
        ("InternalServerError", "Internal server error: another operation (Updating) is in progress.", "ResourceBusy"),
        ("InternalServerError", "Please try again later.", "ResourceBusy"),
        ("GenericComputeError", "Failed to get compute information. Please try again later.", "ResourceBusy"),
        (
            "InternalServerError",
            "Internal server error: no authorization to perform action 'A/read' over scope '/s' or it is invalid.",
            "AzureIdentityLacksRole",
        ),
        ("InternalServerError", "Received an internal server error.", "WorkspaceIdentityLacksRole"),
    ],
)
def test_words_that_say_more_than_their_wrapper_decide(code: str, text: str, expected: str) -> None:
    assert explain(ATTACH, [AzureAnswer(code, text, 200)], FACTS).code == expected


def test_the_policy_is_named_wherever_it_stands() -> None:
    info = {"policyDefinitionDisplayName": "No public addresses", "policyAssignmentName": "a1"}
    outside = {
        "code": "RequestDisallowedByPolicy",
        "message": "Resource 'gpu' was disallowed by policy.",
        "additionalInfo": [{"type": "PolicyViolation", "info": info}],
    }
    for error in (outside, {"code": "BadRequest", "message": f"Failed: {json.dumps({'error': outside})}"}):
        problem = explain(EXTENSION, answers_in(error, 403), FACTS)
        assert (problem.code, "No public addresses" in problem.message) == ("DisallowedByPolicy", True)
    text = 'disallowed by policy. Policy identifiers: \'[{"policyAssignment":{"name":"Sizes","id":"/a"}}]\'.'
    problem = explain(REQUEST, [AzureAnswer("RequestDisallowedByPolicy", text, 403)], FACTS)
    assert problem.message.endswith("as it was asked for: Sizes.")


def test_a_container_that_was_killed_for_its_memory_is_no_proxy() -> None:
    killed = "Azure Machine Learning Kubernetes job failed. 137: container main was OOMKilled"
    assert explain(JOB, [AzureAnswer(None, killed)], FACTS).code == "JobOutOfMemory"
    for cluster, command in ((ARC_ID, "az connectedk8s update"), (CLUSTER_ID, "az aks show")):
        facts = facts_of(make_operation(cluster_id=cluster))
        problem = explain(JOB, [AzureAnswer(None, "Job failed. 137")], facts)
        assert problem.code == "ProxyCatchesLoopback"
        assert str(problem.command).startswith(command)
        assert "for want of memory" in problem.message


HELM = "Unable to continue with install: {} exists and cannot be imported into the current release"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (HELM.format('ClusterRole "x" in namespace ""'), "kubectl get clusterrole x --output yaml"),
        (HELM.format(r"ClusterRole \"x\" in namespace \"\""), "kubectl get clusterrole x --output yaml"),
        (HELM.format('PriorityClass "high" in namespace ""'), "kubectl get priorityclass high --output yaml"),
        (
            HELM.format('ServiceAccount "volcano" in namespace "azureml"'),
            "kubectl get serviceaccount volcano --namespace azureml --output yaml",
        ),
        (
            "existing resource conflict: namespace: , name: y, existing_kind: rbac.authorization.k8s.io/v1, "
            "Kind=ClusterRole, new_kind: rbac.authorization.k8s.io/v1, Kind=ClusterRole",
            "kubectl get clusterrole y --output yaml",
        ),
        (
            'customresourcedefinitions.apiextensions.k8s.io "jobs.batch.volcano.sh" already exists',
            "kubectl get customresourcedefinitions.apiextensions.k8s.io jobs.batch.volcano.sh --output yaml",
        ),
        (
            r"rendered manifests contain a resource that already exists: services \"gateway\" already exists",
            "kubectl get services gateway --output yaml",
        ),
        (
            'prometheuses.monitoring.coreos.com "prom" already exists',
            "kubectl get prometheuses.monitoring.coreos.com prom --output yaml",
        ),
        ('deployments.apps "volcano" already exists', "kubectl get deployments.apps volcano --output yaml"),
        (
            "existing resource conflict: namespace: azureml, name: prom, existing_kind: /v1, Kind=ServiceAccount, "
            "new_kind: /v1, Kind=ServiceAccount",
            "kubectl get serviceaccount prom --namespace azureml --output yaml",
        ),
    ],
)
def test_r21_kind_and_name_of_the_conflict_are_those_of_the_text(text: str, command: str) -> None:
    problem = explain(EXTENSION, [AzureAnswer("ExtensionOperationFailed", text)], FACTS)
    assert (problem.code, problem.command) == ("ExtensionObjectsOwnedByOthers", command)
    assert command.split()[3] in problem.message


@pytest.mark.parametrize(
    "text",
    [
        "Unable to get response from the Agent in time",
        "Unable to get a response from the config agent",
        "No heartbeat from the agents",
        "The extension failed: agents are offline",
        "The config-agent did not respond in time.",
        "The agent hasn't reported its status yet",
        "Timed out while waiting for the cluster extension agent",
        "Unable to reach the agents of the cluster",
        "No response was received from the Agent",
    ],
)
def test_r22_agents_that_do_not_answer_are_named_with_the_way_out(text: str) -> None:
    for cluster, namespace in ((ARC_ID, "azure-arc"), (CLUSTER_ID, "kube-system")):
        problem = explain(EXTENSION, [AzureAnswer("X", text)], facts_of(make_operation(cluster_id=cluster)))
        assert problem.code == "ArcAgentsSilent"
        assert "agents" in problem.message
        assert "outbound" in str(problem.remedy)
        assert problem.command == f"kubectl get pods --namespace {namespace} --output wide"


@pytest.mark.parametrize("code", ["ExtensionTypeRegistrationGetFailed", "BadRequest"])
def test_r23_an_extension_type_that_the_region_lacks_has_its_own_entry(code: str) -> None:
    text = (
        "Extension type microsoft.azureml.kubernetes is not registered in region ukwest. Extension is available in x."
    )
    assert explain(EXTENSION, [AzureAnswer(code, text, 400)], FACTS).code == "ExtensionTypeNotInRegion"


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
