from __future__ import annotations

import pytest

from domain.operation.azure_errors import outcome_of_error, passes
from domain.operation.outcomes import Again, Stop
from domain.problems import AzureAnswer

ANSWER = AzureAnswer("c", "m", 403, "r", "k")


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
def test_outages_and_throttling_are_waited_out_as_told(status: int) -> None:
    assert outcome_of_error(status, "X", "no", 17.0, ANSWER) == Again(
        17.0,
        outcome_of_error(status, "X", "no", None, ANSWER).detail,  # type: ignore[union-attr]
    )


def test_a_wait_that_makes_no_sense_is_cut() -> None:
    outcome = outcome_of_error(429, "TooManyRequests", "", 10_000_000, ANSWER)
    assert isinstance(outcome, Again)
    assert outcome.after == 3600


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AnotherOperationInProgress", ""),
        ("OperationNotAllowed", ""),
        ("Conflict", "an earlier operation for the same extension still in progress"),
        ("Conflict", "unable to create new content in namespace azureml because it is being terminated"),
        ("Conflict", "cannot re-use a name that is still in use"),
    ],
)
def test_a_conflict_with_somebody_at_work_is_waited_out(code: str, message: str) -> None:
    assert isinstance(outcome_of_error(409, code, message, None, ANSWER), Again)


def test_a_conflict_that_time_does_not_cure_stops() -> None:
    outcome = outcome_of_error(409, "RoleAssignmentExists", "The role assignment already exists.", None, ANSWER)
    assert isinstance(outcome, Stop)


def test_a_403_names_the_missing_action_and_scope() -> None:
    text = (
        "The client 'a' with object id 'b' does not have authorization to perform action "
        "'Microsoft.KubernetesConfiguration/extensions/write' over scope '/subscriptions/s/x' or the scope is invalid."
    )
    outcome = outcome_of_error(403, "AuthorizationFailed", text, None, ANSWER)
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "MoorIdentityLacksRole"
    assert "Microsoft.KubernetesConfiguration/extensions/write at /subscriptions/s/x" in outcome.problem.message
    assert outcome.problem.command is not None
    assert outcome.problem.azure == ANSWER


def test_what_is_not_known_stops_with_what_azure_said() -> None:
    outcome = outcome_of_error(400, "BadRequest", "The namespace is wrong.", None, ANSWER)
    assert isinstance(outcome, Stop)
    assert "The namespace is wrong." in outcome.problem.message
    assert not outcome.problem.transient


def test_words_mean_what_they_mean_in_their_situation() -> None:
    text = "extension not installed"
    known = outcome_of_error(400, "BadRequest", text, None, ANSWER, "attach", {"cluster": "aks"})
    assert isinstance(known, Stop)
    assert known.problem.code == "WorkspaceIdentityLacksRole"
    assert "on cluster aks" in known.problem.message
    assert known.problem.azure == ANSWER
    elsewhere = outcome_of_error(400, "BadRequest", text, None, ANSWER)
    assert isinstance(elsewhere, Stop)
    assert elsewhere.problem.code == "AzureRefused"


def test_an_outage_is_waited_out_whatever_its_words() -> None:
    outcome = outcome_of_error(500, "InternalServerError", "internal server error", None, ANSWER, "attach")
    assert outcome == Again(None, "Azure answered 500 (InternalServerError)")


def test_what_the_catalogue_calls_transient_is_waited_out() -> None:
    text = "Principal 1 does not exist in the directory 2."
    assert isinstance(outcome_of_error(400, "PrincipalNotFound", text, None, ANSWER), Again)


def test_a_refusal_by_policy_is_not_a_missing_role() -> None:
    outcome = outcome_of_error(403, "RequestDisallowedByPolicy", "Resource 'x' was disallowed by policy.", None, ANSWER)
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "DisallowedByPolicy"


CAUSE = "The virtual network link of zone privatelink.api.azureml.ms is missing"


@pytest.mark.parametrize("status", [400, 409, 422, 500])
@pytest.mark.parametrize("wrapper", ["The request is invalid.", "Internal Server Error", ""])
def test_r10_a_refusal_at_once_names_its_inner_cause(status: int, wrapper: str) -> None:
    inner = (AzureAnswer("Outer", "An error occurred.", status), AzureAnswer("ClusterNotReachable", "no", status))
    outcome = outcome_of_error(status, "BadRequest", wrapper, None, ANSWER, "attach", {"cluster": "aks"}, inner)
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "ClusterNotReachable"
    assert outcome.problem.azure == AzureAnswer("ClusterNotReachable", "no", 403, "r", "k")


def test_r10_an_inner_cause_that_nobody_knows_is_repeated() -> None:
    inner = (AzureAnswer("Unheard", CAUSE, 400),)
    outcome = outcome_of_error(400, "BadRequest", "The request is invalid.", None, ANSWER, "attach", {}, inner)
    assert isinstance(outcome, Stop)
    assert (outcome.problem.code, CAUSE in outcome.problem.message) == ("AzureRefused", True)
    assert outcome.problem.azure == AzureAnswer("Unheard", CAUSE, 403, "r", "k")
    waits = outcome_of_error(503, "ServerBusy", "busy", None, ANSWER, "attach", {}, inner)
    assert waits == Again(None, f"Azure answered 503 (ServerBusy): {CAUSE}")


@pytest.mark.parametrize("status", [400, 409, 412, 422])
@pytest.mark.parametrize(
    "text",
    [
        "conflicting operation in progress. Please try after sometime",
        "Operation is not allowed: another operation (Updating) is in progress.",
        "The service is temporarily unavailable.",
        "Another update request is still running on the cluster.",
        "Please retry after some time.",
        "The managed cluster is in Updating state.",
        "Cannot do this because the provisioning state is Upgrading.",
        "The cluster is currently being upgraded.",
        "There is an ongoing operation on the agent pool.",
        "Another agentpool operation (Scaling) is in progress, please wait for it to finish.",
        "Operation cannot be fulfilled on deployments: the object has been modified; please apply your changes to the "
        "latest version and try again",
        "the server is currently unable to handle the request",
        "etcdserver: leader changed",
        "net/http: TLS handshake timeout",
        "A transient error has occurred.",
        "Please wait a few minutes and try again.",
        "Too many requests",
    ],
)
@pytest.mark.parametrize("situation", ["extension", "attach", "detach", "request"])
def test_r15_words_that_pass_are_waited_out_whatever_the_status(status: int, text: str, situation: str) -> None:
    assert isinstance(outcome_of_error(status, "BadRequest", text, None, ANSWER, situation), Again)
    assert passes(status, "BadRequest", text)
    inner = (AzureAnswer("X", text, status),)
    assert isinstance(outcome_of_error(status, "BadRequest", "Bad Request", None, ANSWER, situation, {}, inner), Again)


@pytest.mark.parametrize(
    "text",
    [
        "Operation could not be completed as it results in exceeding approved standardDSv5Family Cores quota.",
        "Managed cluster is in stopped state, no operations except for start are allowed.",
        "Upgrades are disallowed while cluster is in a failed state.",
        "The cluster's provisioning state is Failed.",
    ],
)
def test_what_is_not_allowed_later_either_is_not_waited_for(text: str) -> None:
    outcome = outcome_of_error(409, "OperationNotAllowed", text, None, ANSWER, "extension", {"cluster": "aks"})
    assert isinstance(outcome, Stop)
    assert not passes(409, "OperationNotAllowed", text)
    assert (outcome.problem.code == "ClusterStopped") is ("stopped" in text)


@pytest.mark.parametrize("code", ["ClusterNotFound", "X"])
def test_a_failure_inside_that_names_what_time_does_not_cure_is_no_outage(code: str) -> None:
    text = "Cannot found Kubernetes cluster." if code == "X" else "no"
    outcome = outcome_of_error(500, code, text, None, ANSWER, "attach", {"cluster": "aks"})
    assert isinstance(outcome, Stop)
    assert outcome.problem.code == "ClusterNotFound"
    # Who has no answer himself says nothing of the cluster.
    assert isinstance(outcome_of_error(503, code, text, None, ANSWER, "attach", {"cluster": "aks"}), Again)


@pytest.mark.parametrize(
    "text", ["Remove the lock and try again.", "Please try another size.", "Try again with a valid name.", "no"]
)
def test_words_that_only_sound_like_it_are_not(text: str) -> None:
    assert isinstance(outcome_of_error(400, "BadRequest", text, None, ANSWER), Stop)
    assert not passes(400, "BadRequest", text)
