"""What azure-ai-ml tells of jobs and computes, as errors and answers of our own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from azure.ai.ml.exceptions import JobException, ValidationException
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from domain.arm_ids import WORKSPACE, parse_arm_id
from domain.problems import AzureAnswer
from gateways.azure import arm, machine_learning
from gateways.azure.arm import FOREIGN_URL, ArmAnswer, ArmError
from gateways.azure.identity import Cloud
from gateways.azure.own_host import ForeignHost, origin_of
from tests.making import SUB, WORKSPACE_ID


class Jobs:
    """The jobs of a workspace: each call raises this or is kept."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[Any] = []

    def create_or_update(self, job: Any) -> None:
        self._do(job)

    def stream(self, name: str) -> None:
        self._do(name)

    def _do(self, what: Any) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(what)


def use(monkeypatch: pytest.MonkeyPatch, error: Exception | None = None) -> Jobs:
    jobs = Jobs(error)
    monkeypatch.setattr(machine_learning, "_client", lambda workspace_id: SimpleNamespace(jobs=jobs))
    return jobs


def refused(status: int | None, code: str | None = None, message: str = "no") -> HttpResponseError:
    error = HttpResponseError(message="The SDK's own words.")
    error.status_code = status
    error.error = SimpleNamespace(code=code, message=message) if code else None  # type: ignore[assignment]
    return error


def submit() -> None:
    machine_learning.submit_command(WORKSPACE_ID, "j", "gpu", "ls", "image:1")


CALLS: list[Callable[[], Any]] = [submit, lambda: machine_learning.job_error(WORKSPACE_ID, "j")]


@pytest.mark.parametrize("call", CALLS)
def test_a_refusal_has_azures_code_and_words(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> None:
    use(monkeypatch, refused(403, "AuthorizationFailed", "not you"))
    with pytest.raises(ArmError) as error:
        call()
    assert (error.value.status, error.value.code, error.value.message) == (403, "AuthorizationFailed", "not you")
    assert error.value.answer == AzureAnswer("AuthorizationFailed", "not you", 403)


@pytest.mark.parametrize(("status", "code"), [(502, "Http502"), (None, "HttpNone")])
def test_a_refusal_without_a_body_has_its_status(
    monkeypatch: pytest.MonkeyPatch, status: int | None, code: str
) -> None:
    use(monkeypatch, refused(status))
    with pytest.raises(ArmError) as error:
        submit()
    assert (error.value.status, error.value.code, error.value.transient) == (status or 0, code, True)
    assert "The SDK's own words." in error.value.message


@pytest.mark.parametrize("call", CALLS)
def test_silence_may_be_asked_again(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> None:
    use(monkeypatch, ServiceRequestError("no route"))
    with pytest.raises(ArmError) as error:
        call()
    assert (error.value.status, error.value.code, error.value.transient) == (0, "ServiceRequestError", True)


def test_a_job_that_the_sdk_refuses_itself_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ValidationException("bad image", no_personal_data_message="bad"))
    with pytest.raises(ArmError) as error:
        submit()
    assert (error.value.status, error.value.transient) == (400, False)
    assert "bad image" in error.value.message


def test_a_job_is_sent_under_its_name_to_the_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = use(monkeypatch)
    submit()
    (job,) = jobs.sent
    assert (job.name, job.compute, job.command, job.environment.image) == ("j", "gpu", "ls", "image:1")
    assert job.experiment_name == "moor-smoke-test"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            'Exception : \n {\n "error": {"code": "UserError", "message": "E45004: not enabled"}, "time": "x"\n} ',
            AzureAnswer("UserError", "E45004: not enabled"),
        ),
        ('{"error": {"message": "no code"}}', AzureAnswer("JobFailed", "no code")),
        ('{"error": {"code": "UserError"}}', AzureAnswer("UserError", "")),
        (
            '{"error": {"code": "ServiceError", "message": "InternalServerError", "innerError": {"code": "X", '
            '"message": "An error occurred.", "innerError": {"code": "Quota", "message": "no cores left"}}}}',
            AzureAnswer("Quota", "no cores left"),
        ),
        (" It failed.\n", AzureAnswer("JobFailed", "It failed.")),
        ('{"error": null}', AzureAnswer("JobFailed", '{"error": null}')),
        ("{broken}", AzureAnswer("JobFailed", "{broken}")),
        ("", None),
    ],
)
def test_why_a_job_failed(monkeypatch: pytest.MonkeyPatch, text: str, answer: AzureAnswer | None) -> None:
    use(monkeypatch, JobException(text, no_personal_data_message="x"))
    assert machine_learning.job_error(WORKSPACE_ID, "j") == answer


def test_a_job_that_did_not_fail_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)
    assert machine_learning.job_error(WORKSPACE_ID, "j") is None


@pytest.mark.parametrize("error", [ValueError("no JSON"), KeyError("status")])
def test_a_history_that_answers_in_another_shape_may_be_asked_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    use(monkeypatch, error)
    with pytest.raises(ArmError) as refused_:
        machine_learning.job_error(WORKSPACE_ID, "j")
    assert (refused_.value.status, refused_.value.code) == (0, type(error).__name__)


def test_a_compute_is_read_in_the_workspace_of_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    def client(credential: Any, *where: str, **options: Any) -> Any:
        made.append((*where, options["retry_total"], options["enable_telemetry"]))
        found = SimpleNamespace(provisioning_state="Creating")
        return SimpleNamespace(compute=SimpleNamespace(get=lambda name: found if name == "gpu" else None))

    monkeypatch.setattr("azure.ai.ml.MLClient", client)
    monkeypatch.setattr(machine_learning, "credential", lambda: None)
    assert machine_learning.compute_state(WORKSPACE_ID, "gpu") == "Creating"
    assert made == [(SUB, "rg", "ws", 0, False)]
    with pytest.raises(AttributeError):
        machine_learning.compute_state(WORKSPACE_ID, "other")


REGION, STORAGE = (
    "westeurope",
    f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/data1",
)
BODY = {"location": "West Europe", "properties": {"storageAccount": STORAGE, "discoveryUrl": "https://evil.example"}}


def own_hosts(monkeypatch: pytest.MonkeyPatch, body: Any) -> Callable[[str], bool]:
    """Whether the transport of azure-ai-ml connects to a host, for a workspace that Azure answers so."""
    monkeypatch.setattr(machine_learning, "cloud", lambda: Cloud("https://management.azure.com"))
    monkeypatch.setattr(arm, "get", lambda *_: ArmAnswer(200, body))
    allowed = machine_learning._own_hosts(parse_arm_id(WORKSPACE_ID, WORKSPACE))
    return lambda url: (origin := origin_of(url)) is not None and allowed(origin)


@pytest.mark.parametrize(
    "host",
    [
        "management.azure.com",
        "westeurope.api.azureml.ms",
        "0c000000-0000-4000-8000-000000000001.workspace.westeurope.api.azureml.ms",
        "data1.blob.core.windows.net",
        "data1.file.core.windows.net",
    ],
)
def test_azure_ai_ml_connects_to_its_region_and_its_workspaces_storage(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    allowed = own_hosts(monkeypatch, BODY)
    assert allowed(f"https://{host}/x")
    assert not allowed(f"http://{host}/x")
    assert not allowed(f"https://{host}:444/x")
    assert not allowed(f"https://{host}.evil.example/x")
    assert not allowed(f"https://{host}@evil.example/x")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "eastus.api.azureml.ms", "data2.blob.core.windows.net", "evil.workspace.example", "azureml.ms"],
)
def test_azure_ai_ml_connects_nowhere_else(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert not own_hosts(monkeypatch, BODY)(f"https://{host}/discovery")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"location": "evil.example/", "properties": {"storageAccount": "evil.example/x"}},
        {"location": "@evil", "properties": {"storageAccount": STORAGE.replace("data1", "evil.example/")}},
        {"location": 7, "properties": {"storageAccount": [STORAGE]}},
        {"location": None, "properties": 7},
    ],
)
def test_a_workspace_that_says_no_region_has_no_other_host(monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    allowed = own_hosts(monkeypatch, body)
    assert allowed("https://management.azure.com/x")
    for host in ("evil.example", "evil.example.api.azureml.ms", ".api.azureml.ms", "westeurope.api.azureml.ms"):
        assert not allowed(f"https://{host}/x")


def test_another_host_is_refused_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ForeignHost())
    for call in CALLS:
        with pytest.raises(ArmError) as error:
            call()
        assert (error.value.code, error.value.transient) == (FOREIGN_URL, False)
