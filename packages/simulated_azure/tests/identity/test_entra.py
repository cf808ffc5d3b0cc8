"""Entra as clients see it: azure-identity signs in, keys rotate, people confirm, and tokens say what they should."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DeviceCodeCredential, ManagedIdentityCredential

from packages.simulated_azure.control.client import ControlError, SimulatedAzure
from packages.simulated_azure.identity.directory import PUBLIC_CLIENT
from packages.simulated_azure.tests.world import OWNER_OBJECT, SUBSCRIPTION

API, URI = "abababab-0000-4000-8000-000000000001", "api://thing"
OLD_API, OLD_URI = "abababab-0000-4000-8000-000000000002", "api://old-thing"
CLIENT, SECRET = "abababab-0000-4000-8000-000000000003", "not-a-real-secret"
ADA, GROUP = "adaadada-0000-4000-8000-000000000001", "aeaeaeae-0000-4000-8000-000000000001"
MANY = "adaadada-0000-4000-8000-000000000002"
CLIENT_OBJECT = "adaadada-0000-4000-8000-000000000003"


@pytest.fixture
def entra(settings_only: SimulatedAzure, monkeypatch: pytest.MonkeyPatch) -> SimulatedAzure:
    given = [(ADA, "Thing.Use"), (GROUP, "Thing.Admin"), (CLIENT_OBJECT, "Thing.Call"), (OWNER_OBJECT, "Thing.Own")]
    roles = [{"principalId": who, "role": role} for who, role in given]
    settings_only.seed(
        {
            "applications": [
                {
                    "appId": API,
                    "identifierUris": [URI],
                    "accessTokenVersion": 2,
                    "groupMembershipClaims": True,
                    "appRoleAssignments": roles,
                },
                {"appId": OLD_API, "identifierUris": [OLD_URI], "appRoleAssignments": roles},
                {"appId": CLIENT, "objectId": CLIENT_OBJECT, "secret": SECRET},
            ],
            "people": [
                {"name": "Ada Asker", "objectId": ADA, "groups": [GROUP]},
                {"name": "Max Many", "objectId": MANY, "groups": [f"{n:08x}" + GROUP[8:] for n in range(201)]},
            ],
        }
    )
    return settings_only


def tenant(azure: SimulatedAzure) -> str:
    return f"{azure.base_url}/{azure.about['tenantId']}"


def get(azure: SimulatedAzure, url: str) -> Any:
    answer = requests.get(url, timeout=10, verify=azure.about["authority"])
    answer.raise_for_status()
    return answer.json()


def post(azure: SimulatedAzure, path: str, **form: str) -> requests.Response:
    return requests.post(f"{tenant(azure)}{path}", data=form, timeout=10, verify=azure.about["authority"])


def read(azure: SimulatedAzure, token: str, version: str = "/v2.0") -> dict[str, Any]:
    """The claims, verified by the published keys."""
    document = get(azure, f"{tenant(azure)}{version}/.well-known/openid-configuration")
    keys = {key["kid"]: key for key in get(azure, document["jwks_uri"])["keys"]}
    key = jwt.PyJWK(keys[jwt.get_unverified_header(token)["kid"]], algorithm="RS256")
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], issuer=document["issuer"], options={"verify_aud": False}
    )
    return claims


def test_an_application_signs_in_by_its_secret(entra: SimulatedAzure) -> None:
    options: dict[str, Any] = {"authority": entra.base_url, "disable_instance_discovery": True}
    credential = ClientSecretCredential(entra.about["tenantId"], CLIENT, SECRET, **options)
    claims = read(entra, credential.get_token(f"{URI}/.default").token)
    assert (claims["aud"], claims["ver"], claims["azp"], claims["roles"]) == (API, "2.0", CLIENT, ["Thing.Call"])
    assert claims["oid"] == claims["sub"] == CLIENT_OBJECT
    assert "scp" not in claims
    old = read(entra, credential.get_token(f"{OLD_URI}/.default").token, "")
    assert (old["aud"], old["ver"], old["appid"], old["idtyp"]) == (OLD_URI, "1.0", CLIENT, "app")
    with pytest.raises(ClientAuthenticationError, match="7000215"):
        ClientSecretCredential(entra.about["tenantId"], CLIENT, "wrong", **options).get_token(f"{URI}/.default")


def test_a_person_signs_in_by_a_device_code(entra: SimulatedAzure) -> None:
    def confirm(uri: str, user_code: str, expires: Any) -> None:
        entra.confirm_device(user_code, ADA)

    credential = DeviceCodeCredential(
        PUBLIC_CLIENT,
        tenant_id=entra.about["tenantId"],
        authority=entra.base_url,
        disable_instance_discovery=True,
        prompt_callback=confirm,
    )
    claims = read(entra, credential.get_token(f"{URI}/access_as_user").token)
    assert (claims["oid"], claims["scp"], claims["name"]) == (ADA, "access_as_user", "Ada Asker")
    assert (claims["roles"], claims["groups"]) == (["Thing.Admin", "Thing.Use"], [GROUP])
    assert claims["sub"] != ADA


def test_a_device_code_waits_and_counts_once(entra: SimulatedAzure) -> None:
    asked = post(entra, "/oauth2/v2.0/devicecode", client_id=PUBLIC_CLIENT, scope=f"openid {URI}/access_as_user").json()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": PUBLIC_CLIENT,
        "device_code": asked["device_code"],
    }
    assert post(entra, "/oauth2/v2.0/token", **form).json()["error"] == "authorization_pending"
    with pytest.raises(ControlError):
        entra.confirm_device("0000", ADA)
    entra.confirm_device(asked["user_code"], ADA)
    answer = post(entra, "/oauth2/v2.0/token", **form).json()
    assert read(entra, answer["access_token"])["oid"] == ADA
    assert read(entra, answer["id_token"])["aud"] == PUBLIC_CLIENT
    assert post(entra, "/oauth2/v2.0/token", **form).json()["error"] == "bad_verification_code"
    declined = post(entra, "/oauth2/v2.0/devicecode", client_id=PUBLIC_CLIENT, scope=f"{URI}/access_as_user").json()
    entra.confirm_device(declined["user_code"], None)
    form["device_code"] = declined["device_code"]
    assert post(entra, "/oauth2/v2.0/token", **form).json()["error"] == "authorization_declined"


def test_a_managed_identity_gets_its_roles(entra: SimulatedAzure) -> None:
    claims = read(entra, ManagedIdentityCredential().get_token(f"{URI}/.default").token)
    assert (claims["oid"], claims["roles"]) == (OWNER_OBJECT, ["Thing.Own"])


def test_more_groups_than_a_token_holds(entra: SimulatedAzure) -> None:
    claims = read(entra, entra.directory_token(MANY, URI)[0])
    assert claims["_claim_names"] == {"groups": "src1"}
    assert "groups" not in claims


def test_keys_rotate(entra: SimulatedAzure) -> None:
    keys = f"{tenant(entra)}/discovery/v2.0/keys"
    before, _ = entra.directory_token(ADA, URI)
    old = {key["kid"] for key in get(entra, keys)["keys"]}
    new = entra.rotate_signing_key()
    assert {key["kid"] for key in get(entra, keys)["keys"]} == {*old, new}
    assert read(entra, before)["oid"] == ADA
    last = entra.rotate_signing_key(keep_old=False)
    assert {key["kid"] for key in get(entra, keys)["keys"]} == {last}
    assert read(entra, entra.directory_token(ADA, URI)[0])["oid"] == ADA
    # Who holds a token of the old key is still known to Azure Resource Manager.
    assert entra.arm("GET", f"/subscriptions/{SUBSCRIPTION}").status == 200


def test_claims_and_header_of_a_token_can_be_anything(entra: SimulatedAzure) -> None:
    token, _ = entra.directory_token(ADA, URI, claims={"scp": None, "tid": "x"}, header={"jku": "https://example.net"})
    claims = read(entra, token)
    assert claims["tid"] == "x"
    assert "scp" not in claims
    assert jwt.get_unverified_header(token)["jku"] == "https://example.net"


def test_calls_are_logged_and_can_fail(entra: SimulatedAzure) -> None:
    entra.add_fault(kind="entra", path="openid-configuration", status=500)
    url = f"{tenant(entra)}/.well-known/openid-configuration"
    assert requests.get(url, timeout=10, verify=entra.about["authority"]).status_code == 500
    assert [entry["status"] for entry in entra.requests(kind="entra")] == [500]
