"""Every function has its role; nobody comes in without it, and what is refused is answered and logged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from domain.access.principal import APPROVER, OPERATOR, PRIVILEGED, READER, Caller, Principal
from domain.access.privileges import PRIVILEGED_OPTIONS
from operations import limits
from tests import entra
from tests.conftest import Tables
from tests.domain.extension.making import PEM, TLS
from tests.entra import ADA, GRACE, ROBOT, TENANT, Documents, bearer, signed, token
from tests.test_function_app import indexed
from tests.triggers.http.http_app import CLUSTER, App, attach_body, detach_body, functions
from triggers.http import gate
from triggers.http.gate import ANYBODY, ROLE_OF, host_level

NOBODY = {"Authorization": ""}
CALLERS: Mapping[str, list[str]] = {
    "nobody": [],
    "reader": ["Moor.Reader"],
    "operator": ["Moor.Operator"],
    "approver": ["Moor.Approver"],
    "privileged": ["Moor.Privileged"],
    "strange": ["Moor.Owner", "moor.operator", "Reader"],
}
INCLUDED = {
    "nobody": {ANYBODY},
    "reader": {ANYBODY, READER},
    "operator": {ANYBODY, READER, OPERATOR},
    "approver": {ANYBODY, READER, APPROVER},
    "privileged": {ANYBODY, READER, OPERATOR, PRIVILEGED},
    "strange": {ANYBODY},
}
ROUTES = {f.name: (f.methods[0], "/" + f.route.replace("{id}", "an-operation")) for f in functions()}
PRIVILEGED_REQUESTS: Mapping[str, list[tuple[str, dict[str, Any]]]] = {
    "grantRoles": [("/attach", attach_body(grantRoles=True)), ("/reattach", detach_body(grantRoles=True))],
    "registerProviders": [("/attach", attach_body(registerProviders=True))],
    "cleanupLegacy": [("/attach", attach_body(cleanupLegacy=True)), ("/reattach", detach_body(cleanupLegacy=True))],
    "protectedSettings": [
        ("/attach", attach_body(extension={"configurationSettings": TLS, "configurationProtectedSettings": PEM}))
    ],
    "force": [
        ("/detach", detach_body(workloads={"policy": "force"})),
        ("/detach", detach_body(workloads={"policy": "wait", "onDeadline": "force"})),
        ("/reattach", detach_body(workloads={"policy": "force"})),
    ],
    "deleteEndpoints": [("/detach", detach_body(workloads={"endpoints": "delete"}))],
    "cleanUpExtension": [("/detach", detach_body(cleanUp={"extension": True}))],
}


def test_every_http_function_of_the_app_is_in_the_table() -> None:
    assert {name for name, trigger, _ in indexed() if trigger == "httpTrigger"} == set(ROLE_OF) == set(ROUTES)
    assert {name for name, role in ROLE_OF.items() if role == ANYBODY} == {"http_health", "http_openapi"}
    assert all(role in {READER, OPERATOR, APPROVER, ANYBODY} for role in ROLE_OF.values())


def test_a_get_is_a_readers_and_a_decision_is_an_approvers() -> None:
    for name, (method, path) in ROUTES.items():
        if ROLE_OF[name] == ANYBODY:
            continue
        answers = path.endswith(("/approve", "/reject"))
        assert ROLE_OF[name] == (READER if method == "GET" else APPROVER if answers else OPERATOR), name


@pytest.mark.parametrize("name", [name for name in ROUTES if name != "http_health"])
@pytest.mark.parametrize("caller", CALLERS)
async def test_the_matrix_of_roles_and_routes(app: App, tables: Tables, name: str, caller: str) -> None:
    method, path = ROUTES[name]
    answer = await app.call(method, path, None, bearer(token(roles=CALLERS[caller])))
    if ROLE_OF[name] in INCLUDED[caller]:
        assert answer.status not in (401, 403, 503), answer.json
        return
    assert (answer.status, answer.error["code"]) == (403, "RoleRequired")
    assert f"Moor.{ROLE_OF[name].capitalize()}" in answer.error["message"]
    assert (tables.names(), app.engine.started) == ([], [])


@pytest.mark.parametrize("name", [name for name, role in ROLE_OF.items() if role != ANYBODY])
@pytest.mark.parametrize(
    "headers",
    [NOBODY, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {**NOBODY, "x-functions-key": "k"}],
)
async def test_nobody_comes_in_without_a_token(
    app: App, tables: Tables, name: str, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    method, path = ROUTES[name]
    answer = await app.call(method, path, None, {**headers, "x-ms-client-principal-id": ADA})
    assert (answer.status, answer.error["code"]) == (401, "Unauthenticated")
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="Moor", authorization_uri="{entra.LOGIN}/{TENANT}/oauth2/v2.0/authorize"'
    )
    assert f"401 {name}: no token" in caplog.text
    assert tables.names() == []


async def test_a_bad_token_is_told_why_and_the_log_says_who_it_claims_to_be(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await app.get("/operations", bearer(token(exp=1, nbf=0, iat=0)))
    assert (answer.status, answer.error["code"]) == (401, "InvalidToken")
    assert answer.headers["WWW-Authenticate"].endswith(', error="invalid_token", error_description="it has expired"')
    assert f"401 http_list_operations: it has expired; the token says it is of {TENANT}:{ADA}" in caplog.text


async def test_a_refused_caller_is_logged_with_its_principal(app: App, caplog: pytest.LogCaptureFixture) -> None:
    answer = await app.post("/attach", attach_body(), bearer(token(roles=["Moor.Approver"])))
    assert (answer.status, answer.error["code"]) == (403, "RoleRequired")
    assert f"403 http_attach: RoleRequired: {TENANT}:{ADA}" in caplog.text
    assert "eyJ" not in caplog.text


ATTACHES = ("POST", "/attach", attach_body())
REFUSED: Mapping[str, tuple[tuple[str, str, Any], dict[str, Any] | None, str]] = {
    "no token": (ATTACHES, NOBODY, "401 Unauthenticated http_attach - by nobody"),
    "an expired token": (ATTACHES, {"exp": 1}, "401 InvalidToken http_attach - by nobody"),
    "no role": (ATTACHES, {"roles": ["Moor.Reader"]}, f"403 RoleRequired http_attach - by {TENANT}:{ADA}"),
    "groups left out": (ATTACHES, {"hasgroups": True}, f"403 GroupsNotInToken http_attach - by {TENANT}:{ADA}"),
    "an option": (
        ("POST", "/attach", attach_body(grantRoles=True)),
        {"roles": ["Moor.Operator"]},
        f"403 RoleRequired http_attach - by {TENANT}:{ADA}",
    ),
    "the policy": (
        ("POST", "/attach", attach_body(namespace="kube-system")),
        None,
        f"403 NotAllowed http_attach - by {TENANT}:{ADA}",
    ),
    "no such operation": (
        ("POST", "/operations/op-1/approve", {"questionId": "q"}),
        None,
        f"404 OperationNotFound http_approve_operation - by {TENANT}:{GRACE}",
    ),
    "an id that is none": (
        ("GET", "/operations/op%0A1/journal", None),
        None,
        f"404 OperationNotFound http_get_journal - by {TENANT}:{ADA}",
    ),
    "a bad request": (("POST", "/attach", {}), None, f"400 InvalidRequest http_attach - by {TENANT}:{ADA}"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_each_refusal_is_one_line_of_the_audit(app: App, caplog: pytest.LogCaptureFixture, name: str) -> None:
    (method, path, body), who, line = REFUSED[name]
    caplog.set_level("INFO")
    headers = who if who is None or "Authorization" in who else bearer(token(**who))
    answer = await app.call(method, path, body, headers)
    assert answer.status == int(line[:3])
    assert [r.getMessage() for r in caplog.records if r.getMessage().startswith("audit:")] == [f"audit: refused {line}"]


ACCESS = (Path(__file__).parents[3] / "docs/access.md").read_text("utf-8")
QUERY = ACCESS.partition("```kusto\n")[2].partition("```")[0]


def parsed(line: str) -> dict[str, str]:
    """What the query in docs/access.md makes of a line: ``parse`` takes for each name the least that fits."""
    assert line.startswith(re.findall(r'message startswith "([^"]+)"', QUERY)[0])
    (template,) = re.findall(r"parse message with (.+)", QUERY)
    parts = re.findall(r'"([^"]*)"|(\w+)', template)
    found = re.fullmatch("".join(re.escape(text) if text else f"(?P<{name}>.*?)" for text, name in parts), line)
    assert found is not None, line
    return found.groupdict()


async def test_the_documented_query_counts_refused_calls_by_caller_and_code(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for (method, path, body), who, _ in REFUSED.values():
        await app.call(method, path, body, who if who is None or "Authorization" in who else bearer(token(**who)))
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("audit:")]
    assert "summarize calls = sum(itemCount) by caller, code, bin(timestamp, 1h)" in QUERY
    assert Counter((found["caller"], found["code"]) for found in map(parsed, lines)) == {
        ("nobody", "Unauthenticated"): 1,
        ("nobody", "InvalidToken"): 1,
        (f"{TENANT}:{ADA}", "RoleRequired"): 2,
        (f"{TENANT}:{ADA}", "GroupsNotInToken"): 1,
        (f"{TENANT}:{ADA}", "NotAllowed"): 1,
        (f"{TENANT}:{ADA}", "OperationNotFound"): 1,
        (f"{TENANT}:{ADA}", "InvalidRequest"): 1,
        (f"{TENANT}:{GRACE}", "OperationNotFound"): 1,
    }
    examples = re.findall(r"^audit: refused .+$", ACCESS, re.MULTILINE)
    assert [(parsed(line)["status"], parsed(line)["operation"]) for line in examples] == [
        ("403", "-"),
        ("409", "deploy-42"),
    ]
    assert {parsed(line)["function"] for line in (*lines, *examples)} <= {*ROLE_OF}
    assert parsed("audit: refused 403 NeedsIdentity http_attach - by the holder of a function key")["caller"] == (
        "the holder of a function key"
    )


async def test_refused_calls_count_and_one_too_many_is_audited_too(
    app: App, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOOR_REQUESTS_PER_MINUTE", "4")
    limits._asked.clear()
    refused = [
        await app.post("/attach", attach_body(), bearer(token(roles=["Moor.Reader"]))),
        await app.get("/operations", bearer(token(hasgroups=True))),
        await app.post("/attach", {}),
        await app.get("/operations/op-1"),
    ]
    assert [answer.status for answer in refused] == [403, 403, 400, 404]
    answer = await app.get("/operations")
    assert (answer.status, answer.error["code"]) == (429, "TooManyRequests")
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert f"audit: refused 429 TooManyRequests http_list_operations - by {TENANT}:{ADA}" in caplog.text
    assert (await app.get("/operations", bearer(token(oid=GRACE)))).status == 200


# What any route knows, and what none does.
OPTIONS = ("plan", "mode", "top", "continuationToken", "status", "kind", "workspaceId", "clusterId", "computeName", "x")
BODIES = {"http_attach": attach_body(), "http_detach": detach_body(), "http_reattach": detach_body(clusterId=CLUSTER)}


@pytest.mark.parametrize("name", sorted({*ROUTES} - {"http_health", "http_openapi", "http_get_operation"}))
async def test_an_option_without_a_usable_value_is_400_on_every_route(
    app: App, tables: Tables, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of GET operations/{id}, which has no options, they are passed over."""

    async def anybody(req: func.HttpRequest, function: str) -> Caller:
        return Principal(TENANT, ADA, "user", frozenset({OPERATOR, APPROVER, PRIVILEGED}))

    monkeypatch.setattr(gate, "caller_of", anybody)
    method, path = ROUTES[name]
    body = None if method == "GET" else BODIES.get(name, {"questionId": "q"} if "approve" in name else {})
    blank = [f"{option}{value}" for option in OPTIONS for value in ("", "=", "=%20", f"=&{option}=true")]
    spelt = [f"plan={value}" for value in ("True", "TRUE", "1", "0", "yes", "on", "null", "true%20", "true&plan=true")]
    sent = [await app.call(method, f"{path}?{query}", body, {"Authorization": ""}) for query in (*blank, *spelt)]
    assert {answer.status for answer in sent} == {400}
    assert tables.rows() == []
    assert app.engine.started == []


async def test_what_is_not_refused_is_not_in_the_audit(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert (await app.post("/attach", attach_body())).status == 202
    assert (await app.get("/operations")).status == 200
    assert "audit:" not in caplog.text


async def test_an_application_is_a_caller_like_any_other(app: App) -> None:
    answer = await app.post("/attach", attach_body(), bearer(signed(entra.application(roles=["Moor.Operator"]))))
    assert answer.status == 202
    who = answer.json["requestedBy"]
    assert (who["principal"], who["name"]) == (f"{TENANT}:{ROBOT}", "pipeline")


async def test_groups_that_the_token_leaves_out(app: App, caplog: pytest.LogCaptureFixture) -> None:
    answer = await app.get("/operations", bearer(token(_claim_names={"groups": "src1"})))
    assert (answer.status, answer.error["code"]) == (403, "GroupsNotInToken")
    assert "ApplicationGroup" in answer.error["message"]
    assert f"403 http_list_operations: GroupsNotInToken: {TENANT}:{ADA}" in caplog.text


async def test_without_the_keys_of_entra_nobody_is_judged(app: App, documents: Documents) -> None:
    documents.fail()
    answer = await app.get("/operations")
    assert (answer.status, answer.error["code"]) == (503, "KeysUnavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert (await app.get("/openapi.json")).status == 200


@pytest.mark.parametrize("option", PRIVILEGED_OPTIONS)
async def test_a_privileged_option_needs_the_privileged_role(app: App, tables: Tables, option: str) -> None:
    for path, body in PRIVILEGED_REQUESTS[option]:
        for plan in ("", "?plan=true"):
            answer = await app.post(path + plan, body, bearer(token(roles=["Moor.Operator", "Moor.Approver"])))
            assert (answer.status, answer.error["code"]) == (403, "RoleRequired"), (path, body)
            assert option in answer.error["message"]
    assert tables.names() == []


async def test_a_retry_asks_for_what_its_operation_uses(app: App) -> None:
    made = (await app.post("/attach", attach_body(grantRoles=True))).json
    answer = await app.post(f"/operations/{made['id']}/retry", {}, bearer(token(roles=["Moor.Operator"])))
    assert (answer.status, answer.error["code"]) == (403, "RoleRequired")
    assert (await app.post(f"/operations/{made['id']}/retry", {})).status == 202


async def test_who_answers_is_recorded(app: App, caplog: pytest.LogCaptureFixture) -> None:
    made = (await app.post("/attach", attach_body())).json
    answer = await app.post(f"/operations/{made['id']}/cancel", {}, bearer(token(oid=GRACE, roles=["Moor.Operator"])))
    assert answer.status == 202
    journal = (await app.get(f"/operations/{made['id']}/journal")).json["value"]
    assert journal[-1]["data"]["principal"] == f"{TENANT}:{GRACE}"


# --- settings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"MOOR_AUTH": None}, "MOOR_AUTH is not set"),
        ({"MOOR_AUTH": ""}, "MOOR_AUTH is not set"),
        ({"MOOR_AUTH": "none"}, "MOOR_AUTH is neither entra nor keys"),
        ({"MOOR_ENTRA_TENANT": None}, "MOOR_ENTRA_TENANT is not set"),
        ({"MOOR_ENTRA_TENANT": "common"}, "MOOR_ENTRA_TENANT is not the id"),
        ({"MOOR_ENTRA_AUDIENCE": " ,"}, "MOOR_ENTRA_AUDIENCE is not set"),
        ({"MOOR_AUTH": "keys", "WEBSITE_SITE_NAME": "moor"}, "on Azure"),
        ({"MOOR_AUTH": "keys", "MOOR_KEYS_MAY": "approve"}, "MOOR_KEYS_MAY names approve"),
        ({"MOOR_AUTH": "keys", "MOOR_KEYS_MAY": "everything"}, "MOOR_KEYS_MAY names an option"),
    ],
)
async def test_every_route_but_health_names_the_setting(
    app: App, tables: Tables, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], named: str
) -> None:
    for name, value in changes.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    for function, (method, path) in ROUTES.items():
        if function != "http_health":
            answer = await app.call(method, path, None, {"x-functions-key": "k"})
            assert (answer.status, answer.error["code"]) == (503, "AuthNotConfigured"), function
            assert named in answer.error["message"]
            assert int(answer.headers["Retry-After"]) > 0
    assert (tables.names(), app.engine.started) == ([], [])


def test_the_host_asks_for_a_key_only_where_keys_are_the_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, level in (("keys", func.AuthLevel.FUNCTION), ("entra", func.AuthLevel.ANONYMOUS)):
        monkeypatch.setenv("MOOR_AUTH", said)
        assert host_level() == level
    monkeypatch.delenv("MOOR_AUTH")
    assert host_level() == func.AuthLevel.ANONYMOUS


# --- function keys


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("MOOR_AUTH", "keys")
    monkeypatch.delenv("WEBSITE_SITE_NAME", raising=False)
    return monkeypatch


async def test_the_holder_of_a_key_is_an_operator_without_a_name(app: App, keys: pytest.MonkeyPatch) -> None:
    answer = await app.post("/attach", attach_body(), {**bearer(token(oid=GRACE)), "x-ms-client-principal-name": "eve"})
    assert answer.status == 202
    assert (answer.json["requestedBy"]["principal"], answer.json["requestedBy"].get("name")) == (None, None)
    assert (await app.get("/operations")).status == 200
    assert (await app.post(f"/operations/{answer.json['id']}/cancel", {})).status == 202


async def test_core_tools_may_set_a_sites_name(app: App, keys: pytest.MonkeyPatch) -> None:
    keys.setenv("WEBSITE_SITE_NAME", "moor")
    keys.setenv("FUNCTIONS_CORETOOLS_ENVIRONMENT", "true")
    assert (await app.get("/operations")).status == 200


@pytest.mark.parametrize("option", PRIVILEGED_OPTIONS)
async def test_a_key_may_use_a_privileged_option_only_where_it_is_named(
    app: App, keys: pytest.MonkeyPatch, tables: Tables, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    others = ",".join(name for name in PRIVILEGED_OPTIONS if name != option)
    for may in ("", others):
        keys.setenv("MOOR_KEYS_MAY", may)
        for path, body in PRIVILEGED_REQUESTS[option]:
            answer = await app.post(path, body)
            assert (answer.status, answer.error["code"]) == (403, "NeedsIdentity")
            assert option in answer.error["message"]
    assert "NeedsIdentity: the holder of a function key" in caplog.text
    assert tables.names() == []
    keys.setenv("MOOR_KEYS_MAY", f" {option} , grantRoles")
    path, body = PRIVILEGED_REQUESTS[option][0]
    assert (await app.post(path, body)).status == 202


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_no_key_answers_for_a_person(app: App, keys: pytest.MonkeyPatch, answer: str) -> None:
    keys.setenv("MOOR_KEYS_MAY", ",".join(PRIVILEGED_OPTIONS))
    refused = await app.post(f"/operations/an-operation/{answer}", {})
    assert (refused.status, refused.error["code"]) == (403, "NeedsIdentity")
