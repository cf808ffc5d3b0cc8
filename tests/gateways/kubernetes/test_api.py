"""What the API of a cluster answers, in our own terms: refusals, absences, and what may be asked for again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from domain.cluster.legacy_objects import LEGACY_OBJECTS
from domain.cluster.objects import Found
from gateways.kubernetes.api import Api, KubernetesError, Unreachable

REQUEST = httpx2.Request("GET", "https://aks.test/api")


def refusal(status: int, body: Any = None) -> httpx2.HTTPStatusError:
    content = {"json": body} if body is not None else {"text": "<html>"}
    return httpx2.HTTPStatusError("no", request=REQUEST, response=httpx2.Response(status, request=REQUEST, **content))


@dataclass
class Client:
    """lightkube's client: each of its methods answers or raises this, and is kept with what it was asked."""

    answer: Any = None
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def _do(self, name: str) -> Callable[..., Any]:
        def done(*what: Any, **options: Any) -> Any:
            self.calls.append((name, what, options))
            if name in self.answers:
                return self.answers[name](*what, **options)
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return done

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._do(name)


def api(answer: Any = None) -> tuple[Any, Client]:
    client = Client(answer)
    made: Any = Api(client)  # type: ignore[arg-type]
    return made, client


CALLS: dict[str, Callable[[Api], Any]] = {
    "components": lambda api: api.components(),
    "namespace": lambda api: api.namespace("ml"),
    "create": lambda api: api.create_namespace("ml", {}, {}),
    "types": lambda api: api.instance_types(),
    "put type": lambda api: api.put_instance_type("a", {}, {}, {}),
    "leftover": lambda api: api.legacy_object(LEGACY_OBJECTS[0]),
    "delete leftover": lambda api: api.delete_legacy_object(LEGACY_OBJECTS[0]),
    "work": lambda api: api.work_in("ml"),
    "delete type": lambda api: api.delete_instance_type("a"),
    "delete namespace": lambda api: api.delete_namespace("ml"),
    "pods": lambda api: api.has_pods("ml"),
    "may": lambda api: api.may("get", "", "secrets"),
    "find": lambda api: api.find(object, "a", "ml"),
    "put": lambda api: api.put(object(), new=True),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_is_one_error_with_what_the_cluster_says(name: str) -> None:
    made, _ = api(refusal(403, {"reason": "Forbidden", "message": "not you"}))
    with pytest.raises(KubernetesError) as refused:
        CALLS[name](made)
    assert (refused.value.status, refused.value.reason, refused.value.message) == (403, "Forbidden", "not you")
    assert not refused.value.transient


@pytest.mark.parametrize("name", CALLS)
def test_silence_is_the_same_error_without_a_status(name: str) -> None:
    made, _ = api(httpx2.ConnectTimeout(""))
    with pytest.raises(KubernetesError) as refused:
        CALLS[name](made)
    assert (refused.value.status, refused.value.reason, refused.value.message) == (0, "ConnectTimeout", "no answer")
    assert refused.value.transient


@pytest.mark.parametrize("body", [None, [], {}])
def test_a_refusal_without_reasons_still_has_its_status(body: Any) -> None:
    made, _ = api(refusal(500, body))
    with pytest.raises(KubernetesError, match="500 Unknown: no reason given"):
        made.namespace("ml")


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_transient(status: int) -> None:
    assert KubernetesError(status, "r", "m").transient


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_what_is_refused_for_good_is_not(status: int) -> None:
    assert not KubernetesError(status, "r", "m").transient


@pytest.mark.parametrize("name", ["namespace", "types", "leftover", "find"])
def test_what_is_not_there_is_no_error(name: str) -> None:
    made, _ = api(refusal(404, {"reason": "NotFound"}))
    assert CALLS[name](made) is None


@pytest.mark.parametrize("name", ["delete leftover", "delete type", "delete namespace"])
def test_what_is_gone_already_is_deleted(name: str) -> None:
    made, client = api(refusal(404, {"reason": "NotFound"}))
    CALLS[name](made)
    assert [call[0] for call in client.calls] == ["delete"]


@pytest.mark.parametrize("name", ["create", "put type", "put"])
def test_what_exists_already_is_an_error(name: str) -> None:
    made, _ = api(refusal(409, {"reason": "AlreadyExists"}))
    with pytest.raises(KubernetesError, match="409 AlreadyExists"):
        CALLS[name](made)


@pytest.mark.parametrize(
    ("status", "phase"),
    [(SimpleNamespace(phase="Terminating"), "Terminating"), (SimpleNamespace(phase=None), "Active"), (None, "Active")],
)
def test_a_namespace_is_active_unless_it_says_otherwise(status: Any, phase: str) -> None:
    made, _ = api(SimpleNamespace(status=status, metadata=SimpleNamespace(annotations=None)))
    assert made.namespace("ml") == Found("ml", {}, {}, phase)


def test_an_instance_type_has_the_version_that_a_change_must_name() -> None:
    item = SimpleNamespace(
        to_dict=lambda: {"metadata": {"name": "a", "resourceVersion": "7"}, "spec": {"nodeSelector": {"p": "q"}}}
    )
    made, client = api([item])
    assert made.instance_types() == {"a": Found("a", {"nodeSelector": {"p": "q"}}, {}, version="7")}
    made.put_instance_type("a", {}, {"l": "m"}, {}, "7")
    made.put_instance_type("b", {}, {}, {})
    (replaced, created) = [call for call in client.calls if call[0] in ("replace", "create")]
    assert (replaced[0], replaced[1][0].metadata.resourceVersion) == ("replace", "7")
    assert (created[0], created[1][0].metadata.resourceVersion) == ("create", None)


def test_nothing_of_what_a_leftover_holds_is_kept() -> None:
    holding = SimpleNamespace(metadata=SimpleNamespace(annotations={"a": "b"}), data={"key.pem": "sesame"})
    made, _ = api(holding)
    secret = next(each for each in LEGACY_OBJECTS if each.kind == "Secret")
    assert made.legacy_object(secret) == Found("azuremlfessl", {}, {"a": "b"})


@pytest.mark.parametrize("gone", LEGACY_OBJECTS, ids=str)
def test_a_leftover_of_the_whole_cluster_is_deleted_without_a_namespace(gone: Any) -> None:
    made, client = api()
    made.delete_legacy_object(gone)
    ((_, what, options),) = client.calls
    assert what[1] == gone.name
    assert options == ({"namespace": "default"} if gone.namespace else {})


def test_work_of_a_kind_that_the_cluster_does_not_know_is_none() -> None:
    made, client = api()
    pod = SimpleNamespace(to_dict=lambda: {"metadata": {"name": "a"}, "status": {"phase": "Running"}})

    def listed(kind: Any, namespace: str) -> Any:
        assert namespace == "ml"
        if kind.__name__ == "Pod":
            return [pod]
        raise refusal(404, {"reason": "NotFound"})

    client.answers["list"] = listed
    assert [(each.kind, each.name, each.phase) for each in made.work_in("ml")] == [("Pod", "a", "Running")]


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(SimpleNamespace(allowed=True), True), (SimpleNamespace(allowed=False), False), (None, False)],
)
def test_the_app_may_what_the_cluster_says_that_it_may(status: Any, allowed: bool) -> None:
    made, client = api(SimpleNamespace(status=status))
    assert made.may("delete", "apps", "deployments", "default") is allowed
    attributes = client.calls[0][1][0].spec.resourceAttributes
    asked = (attributes.verb, attributes.group, attributes.resource, attributes.namespace)
    assert asked == ("delete", "apps", "deployments", "default")


@pytest.mark.parametrize(("found", "any_"), [([], False), ([object()], True)])
def test_any_pod_counts(found: list[Any], any_: bool) -> None:
    made, _ = api(found)
    assert made.has_pods("ml") is any_


def test_two_ways_that_fail_give_both_reasons_and_the_nearer_remedy() -> None:
    first = Unreachable("no way", remedy="open it", commands=True, entra=True)
    assert first.and_also(Unreachable("no command", "grant it")) == Unreachable("no way, and no command", "grant it")
    assert first.and_also(Unreachable("no command")) == Unreachable("no way, and no command", "open it")
