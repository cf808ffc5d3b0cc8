"""Bodies of requests as bytes: what is no JSON in UTF-8, or not the only reading of it, is refused."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Tables
from tests.triggers.http.http_app import App, attach_body, refused
from triggers.http.request import LARGEST_BODY

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"3",
        b"\xff\xfe",
        b'{"workspaceId": "\xc3\x28"}',
        b"[" * 60_000,
        b'{"computeName": NaN}',
        b'{"computeName": -Infinity}',
        b'{"computeName": ' + b"1" * 5000 + b"}",
        b'{"computeName": "\\ud800"}',
        b'{"\\ud800": 1}',
    ],
)
async def test_a_body_that_is_no_request_is_refused(app: App, tables: Tables, body: bytes) -> None:
    answer = await refused(app, tables, "/attach", body, JSON)
    assert answer.status == 400
    assert answer.error["code"] == "InvalidRequest"


# What nests, from what any reader takes to what none does, and numbers and texts at the edge of JSON.
ODD = (
    *("[" * depth + "]" * depth for depth in (60, 90, 200, 990, 1000, 20_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (90, 1000)),
    *("1e999", "-1e999", "NaN", "9" * 4000, "9" * 5000, '"\\ud800"', '"\\udc00\\ud800"', '{"a": 1, "a": 1}', "[[]]"),
)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/attach", {"computeName": "/computeName", "instanceTypes": "/instanceTypes", "extension": "/extension"}),
        ("/attach?plan=true", {"clusterId": "/clusterId", "tags": "/tags", "identity": "/identity"}),
        ("/detach", {"workloads": "/workloads", "cleanUp": "/cleanUp", "more": "/more"}),
        ("/reattach", {"extension": "/extension", "defaultInstanceType": "/defaultInstanceType"}),
        ("/operations/none/approve", {"questionId": "/questionId"}),
        ("/operations/none/cancel", {"reason": "/reason"}),
    ],
)
async def test_what_nests_or_is_at_the_edge_of_json_is_400_where_it_stands(
    app: App, tables: Tables, path: str, fields: dict[str, str]
) -> None:
    for field, place in fields.items():
        for text in ODD:
            answer = await app.post(path, f'{{"{field}": {text}}}'.encode(), JSON)
            assert (answer.status, answer.error["code"]) == (400, "InvalidRequest"), (field, text[:20])
            # Of what no reader takes, the whole body is named.
            named = [detail["target"] for detail in answer.error["details"]]
            assert any(target.startswith(place) or target == "" for target in named), (field, text[:20], named)
    assert tables.rows() == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"])
async def test_a_body_in_another_charset_is_refused(app: App, tables: Tables, encoding: str) -> None:
    body = json.dumps(attach_body(description="größer"), ensure_ascii=False).encode(encoding)
    assert (await refused(app, tables, "/attach", body, JSON)).status == 400
    other = await refused(app, tables, "/attach", body, {"Content-Type": f"application/json; charset={encoding}"})
    assert (other.status, other.error["code"]) == (415, "UnsupportedMediaType")


async def test_a_name_given_twice_is_refused(app: App, tables: Tables) -> None:
    body = json.dumps(attach_body(tags={"a": "1"})).replace('"a": "1"', '"a": "1", "a": "2"').encode()
    answer = await refused(app, tables, "/attach", body, JSON)
    assert (answer.status, answer.targets()) == (400, {"/tags/a": "InvalidRequest"})


async def test_a_byte_order_mark_is_passed_over(app: App) -> None:
    assert (await app.post("/attach", b"\xef\xbb\xbf" + json.dumps(attach_body()).encode(), JSON)).status == 202


async def test_a_body_over_64_kib_is_refused_and_one_of_64_kib_is_read(app: App, tables: Tables) -> None:
    body = json.dumps(attach_body()).encode()
    largest = body + b" " * (LARGEST_BODY - len(body))

    over = await refused(app, tables, "/attach", largest + b" ", JSON)
    assert (over.status, over.error["code"]) == (413, "RequestTooLarge")
    assert (await app.post("/attach", largest, JSON)).status == 202


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/json,text/plain", "application/json; charset=latin-1", "json"],
)
async def test_another_content_type_is_refused(app: App, tables: Tables, content_type: str) -> None:
    body = json.dumps(attach_body()).encode()
    answer = await refused(app, tables, "/attach", body, {"Content-Type": content_type})
    assert (answer.status, answer.error["code"]) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_in_utf8_is_taken_however_it_is_spelt(app: App, content_type: str) -> None:
    body = json.dumps(attach_body()).encode()
    assert (await app.post("/attach", body, {"Content-Type": content_type})).status == 202
