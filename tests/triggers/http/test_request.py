"""What is read off a request: query parameters and tokens, the body, and who sent it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from domain.operation.record import STATUSES
from domain.violations import INVALID, NOT_YET, Refused
from gateways.storage.record_list import Filter
from tests.triggers.http.http_app import CLUSTER, WORKSPACE
from triggers.http.answers import HttpError, answered
from triggers.http.request import (
    LARGEST_BODY,
    Parameters,
    query_of,
    read_body,
    read_filter,
    read_plan,
    read_position,
    read_sequence,
    token_of,
    whole_number,
)

POSITION = "000000000000042;op-1"
KNOWN = ("status", "kind", "workspaceId", "clusterId", "computeName", "top")


def violations(parameters: Parameters) -> dict[str, str]:
    """Code by target of all that is refused; empty when nothing is."""
    try:
        parameters.check()
    except Refused as refused:
        return {each.target: each.code for each in refused.violations}
    return {}


# --- query parameters


def test_what_is_not_given_is_what_it_is_by_default() -> None:
    parameters = Parameters({}, KNOWN)
    assert parameters.take("top", whole_number(1, 200), 50) == 50
    assert read_filter(parameters) == Filter()
    assert violations(parameters) == {}


def test_what_is_given_is_read() -> None:
    query = {
        "status": "Failed,Running,Failed",
        "kind": "detach",
        "workspaceId": WORKSPACE.replace("resourceGroups", "resourcegroups") + "/",
        "clusterId": CLUSTER,
        "computeName": "gpu",
    }
    parameters = Parameters(query, KNOWN)
    assert read_filter(parameters) == Filter(("Failed", "Running"), "detach", WORKSPACE, CLUSTER, "gpu")
    assert violations(parameters) == {}


def test_every_bad_parameter_is_told_at_once_and_counts_as_not_given() -> None:
    query = {"status": "Nope", "kind": "fleetAttach", "workspaceId": CLUSTER, "clusterId": "x", "top": "0", "Top": "1"}
    parameters = Parameters(query, KNOWN)
    assert read_filter(parameters) == Filter()
    assert parameters.take("top", whole_number(1, 200), 50) == 50
    assert violations(parameters) == {
        **dict.fromkeys(("Top", "status", "workspaceId", "clusterId", "top"), INVALID),
        "kind": NOT_YET,
    }


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("value", ["", " ", "\t", "\u2003"])
def test_a_parameter_without_a_value_is_refused_by_name(name: str, value: str) -> None:
    parameters = Parameters({name: value}, KNOWN)
    assert read_filter(parameters) == Filter()
    parameters.take("top", whole_number(1, 200), 50)
    assert violations(parameters) == {name: INVALID}


@pytest.mark.parametrize(
    ("query", "handed", "given"),
    [
        ("", {}, {}),
        ("?plan=true&top=1", {"plan": "true", "top": "1"}, {"plan": "true", "top": "1"}),
        ("?plan", {}, {"plan": ""}),
        ("?plan=&top=1", {"top": "1"}, {"plan": "", "top": "1"}),
        ("?plan=true&plan=", {"plan": "true"}, {"plan": ""}),
        ("?plan=true&PLAN=", {"plan": "true"}, {"plan": "true", "PLAN": ""}),
        ("?pl%61n", {}, {"plan": ""}),
    ],
)
def test_what_a_host_leaves_out_of_the_query_is_seen(query: str, handed: dict[str, str], given: dict[str, str]) -> None:
    url = f"https://moor.example.net/api/attach{query}"
    assert query_of(func.HttpRequest("POST", url, params=handed, body=b"")) == given


@pytest.mark.parametrize("name", ["code", "Code", "CODE"])
def test_the_hosts_key_is_no_parameter_and_in_no_link(name: str) -> None:
    parameters = Parameters({name: "secret", "top": "2"}, KNOWN)
    assert violations(parameters) == {}
    assert parameters.next_link("https://x/operations", "t&k") == "https://x/operations?top=2&continuationToken=t%26k"


def test_the_next_page_replaces_the_token_of_this_one() -> None:
    parameters = Parameters({"continuationToken": "old", "kind": "attach"}, (*KNOWN, "continuationToken"))
    assert parameters.next_link("https://x", "new") == "https://x?continuationToken=new&kind=attach"


@pytest.mark.parametrize("text", ["1", "200", "007"])
def test_a_whole_number_within_bounds(text: str) -> None:
    assert whole_number(1, 200)(text) == int(text)


@pytest.mark.parametrize("text", ["", "0", "201", "-1", "+5", "1.0", " 1", "1\n", "٣", "1,2", "9" * 5000])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be a whole number from 1 to 200"):
        whole_number(1, 200)(text)


def test_a_plan_is_asked_for_in_one_word() -> None:
    assert (read_plan("true"), read_plan("false")) == (True, False)
    for text in ("True", "1", "", "yes"):
        with pytest.raises(ValueError, match="must be true or false"):
            read_plan(text)


def test_every_status_may_be_asked_for() -> None:
    parameters = Parameters({"status": ",".join(STATUSES)}, KNOWN)
    assert read_filter(parameters).statuses == STATUSES


# --- continuation tokens


@pytest.mark.parametrize(
    ("read", "place"),
    [
        (read_position, POSITION),
        (read_position, f"{POSITION.partition(';')[0]};~"),
        (read_position, f"{POSITION}~"),
        (read_sequence, 0),
        (read_sequence, 41),
    ],
)
def test_a_token_leads_back_to_its_place(read: Callable[[str], Any], place: str | int) -> None:
    token = token_of(place)
    assert "=" not in token
    assert read(token) == place


@pytest.mark.parametrize(
    ("read", "token"),
    [
        (read_position, token_of(41)),
        (read_position, token_of("42;op-1")),
        (read_position, token_of(POSITION.replace("op-1", ""))),
        (read_position, token_of(f"{POSITION}~~")),
        (read_position, token_of(f"{POSITION}' or RowKey ne '")),
        (read_sequence, token_of(POSITION)),
        (read_sequence, token_of(-1)),
        (read_sequence, token_of(99_999_999)),
        (read_sequence, token_of(True)),
        *((read, text) for read in (read_position, read_sequence) for text in ("", "x", "!", "ü", "W10", "bnVsbA")),
    ],
)
def test_a_token_of_another_list_or_of_nobody_is_refused(read: Callable[[str], Any], token: str) -> None:
    with pytest.raises(ValueError, match="is not a token of this list"):
        read(token)


@pytest.mark.parametrize("host", ["[", "[::1", "]"])
async def test_a_host_that_is_none_is_the_callers_mistake(host: str) -> None:
    async def work() -> func.HttpResponse:
        query_of(func.HttpRequest("GET", f"https://{host}/api/operations?top", body=b""))
        raise AssertionError("the URL was read")

    answer = await answered(work())
    assert (answer.status_code, json.loads(answer.get_body())["error"]["target"]) == (400, "Host")


# --- the body


def request(body: bytes, content_type: str | None = "application/json") -> func.HttpRequest:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return func.HttpRequest("POST", "https://x/attach", headers=headers, body=body)


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON ; charset=UTF-8", 'application/json;charset="utf8"']
)
def test_json_in_utf_8_is_read(content_type: str) -> None:
    assert read_body(request(b"{}", content_type)) == b"{}"


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/json; charset=latin-1", "application/json,text/plain"]
)
def test_another_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(HttpError) as refused:
        read_body(request(b"{}", content_type))
    assert (refused.value.status, refused.value.code, refused.value.target) == (
        415,
        "UnsupportedMediaType",
        "Content-Type",
    )


def test_a_body_has_a_largest_size_whatever_its_type() -> None:
    assert len(read_body(request(b" " * LARGEST_BODY))) == LARGEST_BODY
    for content_type in ("application/json", None):
        with pytest.raises(HttpError) as refused:
            read_body(request(b" " * (LARGEST_BODY + 1), content_type))
        assert (refused.value.status, refused.value.code) == (413, "RequestTooLarge")


def test_a_body_may_be_missing_only_where_none_is_required() -> None:
    assert read_body(request(b"", None), required=False) == b""
    with pytest.raises(Refused) as refused:
        read_body(request(b""))
    (violation,) = refused.value.violations
    assert (violation.code, violation.target) == (INVALID, "")
    assert "chunked bodies do not arrive" in violation.message
