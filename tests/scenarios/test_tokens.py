"""The way in, over the whole stack: good tokens of both versions, bad ones, rotated keys, and Entra away."""

from __future__ import annotations

import time
from typing import Any

import pytest

from local import tenant
from local.app_client import Answer, AppClient
from local.stack import Options, Stack, running_stack
from tests.scenarios.conftest import BY_HAND, FACTOR
from tests.scenarios.helpers import Place, changes, eventually

ADA, GRACE = tenant.ASKER, tenant.APPROVER
OLD_API = "0c0ffee0-0000-4000-8000-0000000000c2"
NOW = int(time.time())


def with_token(stack: Stack, token: str, method: str = "GET", path: str = "/operations", body: Any = None) -> Answer:
    return AppClient(stack.url, token=token).call(method, path, body)


def token(stack: Stack, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token of Ada that the tenant's own key signed, right but for these claims; None takes one out."""
    return stack.azure.directory_token(ADA.object_id, tenant.API_URI, claims=claims, header=header)[0]


BAD: dict[str, dict[str, Any]] = {
    **{f"no {name}": {name: None} for name in ("aud", "iss", "exp", "nbf", "tid", "oid", "sub", "scp", "ver")},
    "another audience": {"aud": "https://management.azure.com"},
    "a list of audiences": {"aud": [tenant.API_URI]},
    "expired": {"exp": NOW - 3600},
    "not yet valid": {"nbf": NOW + 86400},
    "exp is a text": {"exp": str(NOW + 86400)},
    "another tenant": {"tid": "7e4a17e4-0000-4000-8000-00000000ffff"},
    "v1 issuer of another tenant": {
        "iss": "https://sts.windows.net/7e4a17e4-0000-4000-8000-00000000ffff/",
        "ver": "1.0",
    },
    "roles is a text": {"roles": "Moor.Operator"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_opens_nothing(stack: Stack, place: Place, name: str) -> None:
    bad = token(stack, **BAD[name])
    answer = with_token(stack, bad, "POST", "/attach", place.attach_body())
    assert (answer.status, answer.body["error"]["code"]) == (401, "InvalidToken")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="Moor"')
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert bad[:30] not in str(answer)
    assert changes(stack, place.compute_id) == []


def test_neither_nobody_nor_a_key_nor_a_header_opens_anything(stack: Stack) -> None:
    nobody = AppClient(stack.url)
    forged = {"x-ms-client-principal-id": ADA.object_id, "x-ms-client-principal-name": ADA.name}
    for answer in (
        nobody.call("GET", "/operations"),
        nobody.call("GET", f"/operations?code={stack.function_key}"),
        nobody.call("GET", "/operations", key=stack.function_key),
        nobody.call("GET", "/operations", key=stack.keys["master"]),
        nobody.call("GET", "/operations", headers=forged),
    ):
        assert (answer.status, answer.body["error"]["code"]) == (401, "Unauthenticated")
    assert nobody.call("GET", "/health").status == 200
    assert nobody.call("GET", "/openapi.json").status == 200


def test_a_token_for_another_api_or_an_id_token_opens_nothing(stack: Stack) -> None:
    assert with_token(stack, stack.azure.token()).status == 401
    id_token = token(stack, aud=tenant.API, scp=None, nonce="n", roles=None)
    assert with_token(stack, id_token).status == 401


def test_roles_over_the_stack(stack: Stack, place: Place) -> None:
    reader = token(stack, roles=["Moor.Reader"])
    assert with_token(stack, reader).status == 200
    for path, body in (("/attach", place.attach_body()), ("/detach", place.detach_body())):
        for who in (reader, stack.token_of(GRACE)):
            answer = with_token(stack, who, "POST", path, body)
            assert (answer.status, answer.body["error"]["code"]) == (403, "RoleRequired")
    operator = token(stack, roles=["Moor.Operator"])
    refused = with_token(stack, operator, "POST", "/attach", place.attach_body(grantRoles=True))
    assert (refused.status, refused.body["error"]["code"]) == (403, "RoleRequired")
    crowded = with_token(stack, token(stack, _claim_names={"groups": "src1"}))
    assert (crowded.status, crowded.body["error"]["code"]) == (403, "GroupsNotInToken")
    assert changes(stack, place.compute_id) == []


def test_an_application_and_a_token_of_version_1(stack: Stack) -> None:
    app, _ = stack.azure.directory_token(ADA.object_id, tenant.API_URI, claims={"scp": None, "sub": ADA.object_id})
    assert with_token(stack, app).status == 200
    old = {"appId": OLD_API, "identifierUris": ["api://moor-of-version-1"]}
    stack.azure.seed({"applications": [old]})
    # The API of version 1 stands in for Moor's own registration with that version.
    claims = {"aud": tenant.API_URI, "roles": ["Moor.Reader"]}
    made, _ = stack.azure.directory_token(ADA.object_id, "api://moor-of-version-1", claims=claims)
    assert with_token(stack, made).status == 200


def test_keys_rotate_under_way(stack: Stack) -> None:
    before = token(stack)
    assert with_token(stack, before).status == 200
    key_id = stack.azure.rotate_signing_key()
    after = token(stack)
    eventually(lambda: with_token(stack, after).status == 200, f"the app to know {key_id}")
    assert with_token(stack, before).status == 200


def test_without_entra_nobody_is_let_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_stack(Options(factor=FACTOR, settings=BY_HAND), state_dir=tmp_path_factory.mktemp("entra")) as stack:
        stack.azure.add_fault(kind="entra", path="", nth=list(range(1000)), status=503)
        answer = stack.app.call("GET", "/operations")
        assert (answer.status, answer.body["error"]["code"]) == (503, "KeysUnavailable")
        stack.azure.clear_faults()
        eventually(lambda: stack.app.call("GET", "/operations").status == 200, "the app to have the keys")
