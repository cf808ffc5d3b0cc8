"""Schemathesis: the running app answers as the contract says, whatever it is sent."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from local import tenant
from local.stack import Stack
from tests.scenarios.helpers import Place, attached
from triggers.http.openapi import document

CONTRACT = schemathesis.openapi.from_path(Path(__file__).parents[1] / "contract/openapi.yaml")
METHODS = ("get", "put", "post", "patch", "delete")
SERVED = [(m.upper(), path) for path, item in document("")["paths"].items() for m in METHODS if m in item]
Case = schemathesis.Case[Any]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# The same examples every time: no run may fail that another passed.
STEADY = settings(
    derandomize=True,
    deadline=None,
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def validate(case: Case, stack: Stack) -> Any:
    """Send a case and hold its answer to the contract."""
    roles = [f"Moor.{role}" for role in ("Operator", "Approver", "Privileged")]
    token, _ = stack.azure.directory_token(tenant.ASKER.object_id, tenant.API_URI, claims={"roles": roles})
    headers = {"Authorization": f"Bearer {token}"}
    return case.call_and_validate(base_url=f"{stack.url}/api", headers=headers, checks=CHECKS)


def takes_something(method: str, path: str) -> bool:
    """Whether the contract has parameters or a body for an operation: what it has can be sent against it."""
    item = document("")["paths"][path]
    whole = [*item.get("parameters", []), *item[method.lower()].get("parameters", [])]
    return bool(whole) or "requestBody" in item[method.lower()]


AGAINST = [each for each in SERVED if takes_something(*each)]
NOTHING_TO_SEND = [each for each in SERVED if not takes_something(*each)]


@pytest.mark.parametrize(("method", "path"), SERVED)
@pytest.mark.long
def test_what_the_contract_allows(stack: Stack, method: str, path: str) -> None:
    @STEADY
    @given(case=CONTRACT[path][method].as_strategy(GenerationMode.POSITIVE))
    def send(case: Case) -> None:
        validate(case, stack)

    send()


@pytest.mark.parametrize(("method", "path"), AGAINST)
def test_what_is_against_the_contract(stack: Stack, method: str, path: str) -> None:
    statuses = set()

    @STEADY
    @given(case=CONTRACT[path][method].as_strategy(GenerationMode.NEGATIVE))
    def send(case: Case) -> None:
        statuses.add(validate(case, stack).status_code)

    send()
    assert {status for status in statuses if 400 <= status < 500}, statuses


WORDS = st.text(alphabet="abcXYZ09-_", min_size=1, max_size=12)
SENT = st.tuples(
    st.dictionaries(WORDS, st.text(max_size=40), max_size=3),
    st.dictionaries(WORDS.map(lambda word: f"x-{word}"), WORDS, max_size=2),
    st.sampled_from([None, b"", b"{", b'{"a": 1}', b"\x00\xff"]),
)


@pytest.mark.parametrize(("method", "path"), NOTHING_TO_SEND)
def test_where_there_is_nothing_to_send_what_is_sent_changes_nothing(stack: Stack, method: str, path: str) -> None:
    """The contract has nothing there to be against: neither parameters nor a body. Other methods are not served."""
    assert NOTHING_TO_SEND == [("GET", "/health"), ("GET", "/openapi.json")]
    operation, url = CONTRACT[path][method], f"{stack.url}/api{path}"
    plain = validate(operation.Case(), stack)
    assert plain.status_code == 200
    said = plain.json()

    @STEADY
    @given(sent=SENT)
    def send(sent: tuple[dict[str, str], dict[str, str], bytes | None]) -> None:
        query, headers, body = sent
        answer = requests.request(method, url, params=query, headers=headers, data=body, timeout=30)
        operation.Case(query=query, headers=headers).validate_response(answer, checks=CHECKS)
        assert (answer.status_code, answer.json()) == (200, said)

    send()
    others = {other.upper() for other in METHODS} - {method}
    assert {requests.request(other, url, data=b"", timeout=30).status_code for other in others} == {404}


@pytest.mark.parametrize("path", ["/attach", "/detach"])
@pytest.mark.long
def test_requests_for_what_is_there(stack: Stack, place: Place, path: str) -> None:
    """Names that the schema cannot know, so that more than refusals is seen: accepted, repeated, conflicting."""
    statuses = set()
    known = {"workspaceId": place.workspace_id, "clusterId": place.cluster_id, "computeName": place.compute_name}
    later = {"instanceTypes", "defaultInstanceType", "expiresAt", "approvalTimeout"}
    strategy = CONTRACT[path]["POST"].as_strategy()

    @STEADY
    @given(case=strategy, operation_id=st.sampled_from([None, None, f"contract{path.replace('/', '-')}"]))
    def send(case: Case, operation_id: str | None) -> None:
        body = copy.deepcopy(case.body)
        if isinstance(body, dict):
            body = {name: known.get(name, value) for name, value in body.items() if name not in later}
        if isinstance(body, dict) and operation_id is None:
            body = {name: value for name, value in body.items() if name in {*known, "description", "reason"}}
        case.body = body
        case.query = {}
        case.headers.clear()
        if operation_id:
            case.headers["Operation-Id"] = operation_id
        statuses.add(validate(case, stack).status_code)

    send()
    assert {200, 202, 400} <= statuses


def test_reading_what_is_there(stack: Stack, place: Place) -> None:
    named = {"id": attached(stack, place)["id"]}
    whole = CONTRACT["/operations/{id}"]["GET"]
    assert validate(CONTRACT["/operations"]["GET"].Case(), stack).status_code == 200
    assert validate(CONTRACT["/operations/{id}/journal"]["GET"].Case(path_parameters=named), stack).status_code == 200
    read = validate(whole.Case(path_parameters=named), stack)
    assert read.status_code == 200
    unchanged = whole.Case(path_parameters=named, headers={"If-None-Match": read.headers["etag"][0]})
    assert validate(unchanged, stack).status_code == 304


def test_without_a_key(stack: Stack) -> None:
    assert stack.app.call("GET", "/operations", key="wrong").status == 401
    assert stack.app.call("GET", "/health", key="wrong").status == 200
