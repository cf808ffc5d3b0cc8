"""Reading a cluster by kubectl in a pod of it: the command, the wait for it, and what its output says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.identity import CredentialUnavailableError

from domain.arm_ids import parse_arm_id
from domain.cluster.components import Router
from domain.cluster.objects import Found
from domain.problems import AzureAnswer
from domain.workloads.cluster_objects import ClusterObject
from gateways import clock
from gateways.azure import arm, identity
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.kubernetes import run_command
from gateways.kubernetes.api import Unreachable
from gateways.kubernetes.run_command import Begun, StillRunning
from tests.making import CLUSTER_ID

CLUSTER = parse_arm_id(CLUSTER_ID)
RESULT = "https://management.azure.com/subscriptions/s/commandResults/1"


def ran(logs: str, exit_code: int | None = 0, reason: str | None = None) -> ArmAnswer:
    return ArmAnswer(200, {"properties": {"exitCode": exit_code, "logs": logs, "reason": reason}})


def listed(*items: Mapping[str, Any]) -> ArmAnswer:
    return ran(json.dumps({"items": items}))


@dataclass
class Commands:
    """Answers to the commands and to the polls, in their order."""

    answers: list[ArmAnswer | ArmError]
    bodies: list[Mapping[str, Any]] = field(default_factory=list)
    polled: list[str] = field(default_factory=list)

    def post(self, target: str, version: str, body: Mapping[str, Any]) -> ArmAnswer:
        assert (target, version) == (f"{CLUSTER_ID}/runCommand", arm.CLUSTERS_API)
        self.bodies.append(body)
        return self._next()

    def get_url(self, url: str) -> ArmAnswer:
        self.polled.append(url)
        return self._next()

    def _next(self) -> ArmAnswer:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ArmError):
            raise answer
        return answer

    def words(self) -> list[list[str]]:
        return [shlex.split(str(body["command"])) for body in self.bodies]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    made = Commands([])
    monkeypatch.setattr(arm, "post", made.post)
    monkeypatch.setattr(arm, "get_url", made.get_url)
    monkeypatch.setattr(clock, "pause", lambda seconds: pytest.fail("nobody waits for a command"))
    looking = SimpleNamespace(get_token=lambda scope: AccessToken(f"may look: {scope}", 0))
    monkeypatch.setattr(run_command, "command_credential", lambda: looking)
    return made


LOOKING = "may look: 6dae42f8-4368-4678-94ff-3960e28e3630/.default"


@pytest.mark.parametrize(("entra", "token"), [(False, ""), (True, LOOKING)])
def test_a_token_goes_along_where_users_sign_in_with_entra_only(commands: Commands, entra: bool, token: str) -> None:
    commands.answers = [listed()]
    assert run_command.namespace(CLUSTER, "ml", entra=entra) is None
    (body,) = commands.bodies
    assert (body["clusterToken"], body["context"]) == (token, "")
    assert commands.words() == [["kubectl", "get", "namespaces", "--output", "json"]]


def test_the_app_s_own_token_never_goes_along(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.delenv("MOOR_COMMAND_CLIENT_ID", raising=False)
    monkeypatch.setattr(identity, "credential", lambda: pytest.fail("the app's own token was asked for"))
    monkeypatch.setattr(arm, "post", commands.post)
    found = run_command.namespace(CLUSTER, "ml", entra=True)
    assert isinstance(found, Unreachable)
    assert "MOOR_COMMAND_CLIENT_ID names none" in found.reason
    assert commands.bodies == []
    commands.answers = [listed()]
    assert run_command.namespace(CLUSTER, "ml", entra=False) is None


def test_an_identity_without_a_token_is_no_way_in(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def get_token(scope: str) -> AccessToken:
        raise CredentialUnavailableError("no such identity")

    monkeypatch.setattr(run_command, "command_credential", lambda: SimpleNamespace(get_token=get_token))
    reason = "the identity for commands in it gets no token (CredentialUnavailableError)"
    assert run_command.namespace(CLUSTER, "ml", entra=True) == Unreachable(reason)


@pytest.mark.parametrize(
    ("status", "phase"), [({"phase": "Terminating"}, "Terminating"), ({}, "Active"), (None, "Active")]
)
def test_a_namespace_is_read_with_phase_and_annotations(commands: Commands, status: Any, phase: str) -> None:
    metadata = {"name": "ml", "annotations": {"a": "b"}}
    commands.answers = [listed({"metadata": {"name": "ml2"}}, {"metadata": metadata, "status": status})]
    assert run_command.namespace(CLUSTER, "ml", entra=False) == Found("ml", {}, {"a": "b"}, phase)


def asked_for(begun: Begun) -> Any:
    """What is answered to who asks for a namespace, with these commands begun."""
    with run_command.of_step(begun):
        return run_command.namespace(CLUSTER, "ml", entra=False)


@pytest.mark.parametrize(("said", "after"), [(5.0, 10.0), (None, 10.0), (20.0, 20.0), (60.0, 30.0)])
def test_a_command_is_begun_once_and_polled_until_it_has_ended(
    commands: Commands, said: float | None, after: float
) -> None:
    commands.answers = [*(ArmAnswer(202, {}, RESULT, said) for _ in range(3)), listed()]
    begun = Begun()
    for _ in range(3):
        with pytest.raises(StillRunning) as running:
            asked_for(begun)
        assert running.value.after == after
        begun = Begun(begun.commands)
    assert asked_for(begun) is None
    assert (len(commands.bodies), commands.polled) == (1, [RESULT] * 3)


def test_while_a_command_runs_the_api_is_not_tried_again(commands: Commands) -> None:
    commands.answers = [ArmAnswer(202, {}, RESULT)]
    begun = Begun()
    with run_command.of_step(begun):
        assert run_command.way_begun() is None
        with pytest.raises(StillRunning):
            run_command.namespace(CLUSTER, "ml", entra=True)
        assert run_command.way_begun() == Unreachable("its API did not answer", commands=True, entra=True)
    assert run_command.way_begun() is None


def begun_before(commands: Commands, minutes: float) -> Begun:
    commands.answers = [ArmAnswer(202, {}, RESULT)]
    begun = Begun()
    with pytest.raises(StillRunning):
        asked_for(begun)
    (command,) = begun.commands
    commands.bodies.clear()
    return Begun([replace(command, begun=clock.now() - timedelta(minutes=minutes))])


def test_a_command_that_does_not_end_is_given_up(commands: Commands) -> None:
    begun = begun_before(commands, 11)
    assert asked_for(begun) == Unreachable("no command ended in it within 10 minutes")
    assert begun.commands == ()


def test_what_a_command_saw_long_ago_does_not_count(commands: Commands) -> None:
    begun = begun_before(commands, 11)
    commands.answers = [listed({"metadata": {"name": "ml"}}), listed()]
    assert asked_for(begun) is None
    assert len(commands.bodies) == 1
    begun = begun_before(commands, 9)
    commands.answers = [listed({"metadata": {"name": "ml"}})]
    assert asked_for(begun) == Found("ml", {}, {}, "Active")
    assert commands.bodies == []


def test_a_command_that_cannot_be_followed_is_given_up_at_once(commands: Commands) -> None:
    commands.answers = [ArmAnswer(202, {})]
    assert isinstance(run_command.namespace(CLUSTER, "ml", entra=False), Unreachable)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ran(" error: no such host\n", 1), "a command in it failed: error: no such host"),
        (ran("", None, "pod not scheduled"), "a command in it failed: pod not scheduled"),
        (ran("", 2), "a command in it failed: it ended with exit code 2 and said nothing"),
        (ran("x" * 500, 1), "a command in it failed: " + "x" * 300),
        (ran("not json"), "the output of a command in it is no list of objects"),
        (ran('{"items": [{"kind": "Pod"}]}'), "the output of a command in it is no list of objects"),
        (ran("[]"), "the output of a command in it is no list of objects"),
        (ran("[" * 100_000), "the output of a command in it is no list of objects"),
        (listed({"metadata": []}), "the output of a command in it is no list of objects"),
        (ArmError(404, "NotFound", "no"), "no command can be run in it (NotFound: no)"),
    ],
)
def test_why_nothing_is_seen(commands: Commands, answer: ArmAnswer | ArmError, reason: str) -> None:
    commands.answers = [answer]
    assert run_command.namespace(CLUSTER, "ml", entra=False) == Unreachable(reason)
    assert run_command.components(CLUSTER, entra=False) == Unreachable(reason)


NO_OBJECTS = Unreachable("the output of a command in it is no list of objects")


@pytest.mark.parametrize(
    "item",
    [
        {"metadata": {}},
        {"metadata": {"name": "ml"}, "status": "x"},
        {"metadata": {"name": "ml"}, "status": ["x"]},
        {"metadata": {"name": "ml", "annotations": "x"}},
    ],
)
def test_a_namespace_of_no_shape_is_unknown(commands: Commands, item: dict[str, Any]) -> None:
    commands.answers = [listed(item)]
    assert run_command.namespace(CLUSTER, "ml", entra=False) == NO_OBJECTS


@pytest.mark.parametrize(
    "item",
    [
        {"kind": "Deployment", "metadata": {"name": 7}, "spec": "x"},
        {"kind": "Pod", "metadata": {"name": "a"}, "status": {"containerStatuses": "x"}},
        {"kind": "ConfigMap", "metadata": {}, "data": []},
    ],
)
def test_components_of_no_shape_are_unknown(commands: Commands, item: dict[str, Any]) -> None:
    commands.answers = [listed(item)]
    assert run_command.components(CLUSTER, entra=False) == NO_OBJECTS


@pytest.mark.parametrize("labels", ["[" * 100_000, "[1]", "7"])
def test_work_with_labels_of_no_shape_is_unknown(commands: Commands, labels: str) -> None:
    commands.answers = [ran(f"Pod\ta\t{labels}\tRunning\t\nend of output")]
    assert run_command.work_in(CLUSTER, "ml", entra=False) == NO_OBJECTS


def test_who_may_not_run_commands_is_told_which_role_may(commands: Commands) -> None:
    commands.answers = [ArmError(403, "AuthorizationFailed", "no")]
    found = run_command.namespace(CLUSTER, "ml", entra=False)
    assert isinstance(found, Unreachable)
    assert found.reason == "the app may not run commands in it (no)"
    assert "Azure Kubernetes Service Cluster Admin Role" in str(found.remedy)


@pytest.mark.parametrize("status", [0, 429, 503])
def test_an_outage_of_azure_is_no_answer(commands: Commands, status: int) -> None:
    commands.answers = [ArmError(status, "Down", "no")]
    with pytest.raises(ArmError):
        run_command.namespace(CLUSTER, "ml", entra=False)


def test_components_are_told_apart_by_kind_and_name(commands: Commands) -> None:
    spec = {"selector": {}, "template": {}, "serviceName": "s"}
    scheduled = dict.fromkeys(("currentNumberScheduled", "numberMisscheduled", "numberReady"), 0)
    daemons = {**scheduled, "desiredNumberScheduled": 3}
    ready = {"replicas": 1, "readyReplicas": 1}
    commands.answers = [
        listed(
            {"kind": "Deployment", "metadata": {"name": "gateway"}, "spec": {**spec, "replicas": 2}, "status": {}},
            {"kind": "DaemonSet", "metadata": {"name": "exporter"}, "spec": spec, "status": daemons},
            {"kind": "StatefulSet", "metadata": {"name": "store"}, "spec": spec, "status": ready},
            {"kind": "Pod", "metadata": {"name": "gateway-1"}},
            {"kind": "Service", "metadata": {"name": "other"}, "spec": {"type": "LoadBalancer"}},
            {"kind": "Service", "metadata": {"name": "azureml-fe"}, "spec": {"type": "NodePort"}},
            {"kind": "ConfigMap", "metadata": {"name": "arcml-healthcheck"}, "data": {"a": "b"}},
            {"kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"c": "d"}},
        )
    ]
    seen = run_command.components(CLUSTER, entra=False)
    assert not isinstance(seen, Unreachable)
    assert [(each.kind, each.name, each.wanted, each.available) for each in seen.workloads] == [
        ("Deployment", "gateway", 2, 0),
        ("DaemonSet", "exporter", 3, 0),
        ("StatefulSet", "store", 1, 1),
    ]
    assert [pod.name for pod in seen.pods] == ["gateway-1"]
    assert seen.router == Router("NodePort", ())
    assert seen.reports == {"a": "b"}
    assert commands.words()[0][3:5] == ["--namespace", "azureml"]


LINES = 'Pod\ttrain-1\t{"job": "a"}\tRunning\t\nOnlineEndpoint\tscore\t\t\tSucceeded\n'


def test_work_is_read_with_labels_and_phase_and_nothing_else(commands: Commands) -> None:
    commands.answers = [ran(f"Warning: deprecated\n{LINES}end of output\n")]
    assert run_command.work_in(CLUSTER, "ml", entra=False) == [
        ClusterObject("Pod", "train-1", {"job": "a"}, "Running"),
        ClusterObject("OnlineEndpoint", "score", {}, "Succeeded"),
    ]
    (words,) = commands.words()
    assert words[:2] == ["kubectl", "get"]
    assert words[3:5] == ["--namespace", "ml"]
    assert ".spec" not in words[-1]


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        (LINES, "the output of a command in it was cut"),
        ("", "the output of a command in it was cut"),
        (f"Pod\ta\tno json\tRunning\t\n{'end of output'}", "the output of a command in it is no list of objects"),
        ("Pod\ta\t{}\nend of output", "the output of a command in it is no list of objects"),
    ],
)
def test_half_of_the_work_is_none_that_counts(commands: Commands, logs: str, reason: str) -> None:
    commands.answers = [ran(logs)]
    assert run_command.work_in(CLUSTER, "ml", entra=False) == Unreachable(reason)


def test_a_kind_that_the_cluster_does_not_know_is_left_out(commands: Commands) -> None:
    unknown = ran('error: the server doesn\'t have a resource type "amljobs"', 1)
    commands.answers = [unknown, ran(f"{LINES}end of output")]
    found = run_command.work_in(CLUSTER, "ml", entra=False)
    assert not isinstance(found, Unreachable)
    assert [each.name for each in found] == ["train-1", "score"]
    first, second = (words[2].split(",") for words in commands.words())
    assert len(first) == 3
    assert [name for name in first if name not in second] == [name for name in first if name.startswith("amljobs.")]


def test_another_failure_is_no_reason_to_leave_a_kind_out(commands: Commands) -> None:
    commands.answers = [ran("error: Forbidden", 1)]
    assert run_command.work_in(CLUSTER, "ml", entra=False) == Unreachable("a command in it failed: error: Forbidden")
    assert len(commands.bodies) == 1


BUSY = ArmError(409, "OperationNotAllowed", "Operation is not allowed: Another operation (Updating) is in progress.")
PASSING = [
    BUSY,
    ArmError(400, "BadRequest", "Another operation (Upgrading) is in progress, please retry later."),
    ArmError(409, "Conflict", "x", inner=(AzureAnswer("AnotherOperationInProgress", "", 409),)),
    ArmError(
        412, "PreconditionFailed", "The cluster has a conflicting operation in progress. Please try after sometime"
    ),
]


@pytest.mark.parametrize("refusal", PASSING)
def test_r2_a_refusal_that_passes_is_asked_again_until_it_is_told(commands: Commands, refusal: ArmError) -> None:
    begun = Begun()
    with run_command.of_step(begun):
        commands.answers = [refusal]
        for _ in range(3):
            with pytest.raises(StillRunning, match="no command can be run in the cluster yet"):
                run_command.work_in(CLUSTER, "ml", entra=False)
        assert begun.commands == ()
        commands.answers = [ArmAnswer(202, {}, RESULT), refusal, ran(f"{LINES}end of output")]
        for _ in range(2):  # Begun; then the result is refused.
            with pytest.raises(StillRunning):
                run_command.work_in(CLUSTER, "ml", entra=False)
        assert len(begun.commands) == 1
        found = run_command.work_in(CLUSTER, "ml", entra=False)
    assert not isinstance(found, Unreachable)
    assert [each.name for each in found] == ["train-1", "score"]


RESULTS = [
    ran("Error from server (ServiceUnavailable): the server is currently unable to handle the request", 1),
    ran("Unable to connect to the server: net/http: TLS handshake timeout", 1),
    ran("", None, "KubernetesPerformanceError: the pod did not start within 30s on your cluster, retry may helps."),
    ran("", 1, "another operation (Scaling) is in progress"),
]


@pytest.mark.parametrize("result", RESULTS)
def test_r2_a_result_that_passes_is_asked_for_again_and_given_up_after_a_while(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, result: ArmAnswer
) -> None:
    begun, now = Begun(), clock.now()
    with run_command.of_step(begun):
        commands.answers = [result]
        for minutes in (0, 5):
            monkeypatch.setattr(clock, "now", lambda minutes=minutes: now + timedelta(minutes=minutes))
            with pytest.raises(StillRunning, match="is run once more"):
                run_command.work_in(CLUSTER, "ml", entra=False)
        assert [each.begun for each in begun.commands] == [now]
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=11))
        found = run_command.work_in(CLUSTER, "ml", entra=False)
    assert isinstance(found, Unreachable)
    assert (len(commands.bodies), commands.polled, begun.commands) == (3, [], ())


def test_r2_a_result_that_is_lost_is_asked_for_again(commands: Commands) -> None:
    begun = Begun()
    with run_command.of_step(begun):
        commands.answers = [
            ArmAnswer(202, {}, RESULT),
            ArmError(404, "NotFound", "The command was not found."),
            ran(f"{LINES}end of output"),
        ]
        for _ in range(2):
            with pytest.raises(StillRunning):
                run_command.work_in(CLUSTER, "ml", entra=False)
        assert not isinstance(run_command.work_in(CLUSTER, "ml", entra=False), Unreachable)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (137, "it ended with exit code 137 (killed, as for want of memory) and said nothing"),
        (143, "it ended with exit code 143 (stopped from outside) and said nothing"),
        (3, "it ended with exit code 3 and said nothing"),
    ],
)
@pytest.mark.parametrize("logs", ["", " \n"])
def test_r30_a_command_that_said_nothing_is_told_by_its_exit_code(
    commands: Commands, code: int, words: str, logs: str
) -> None:
    commands.answers = [ran(logs, code)]
    assert run_command.work_in(CLUSTER, "ml", entra=False) == Unreachable(f"a command in it failed: {words}")
