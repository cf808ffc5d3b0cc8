"""Good tokens come through, and nothing else: a table of bad ones, all really signed."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from domain.access.claims import GroupsMissing
from domain.access.principal import APPLICATION, OPERATOR, PRIVILEGED, USER
from gateways.auth_settings import EntraSettings
from gateways.entra.tokens import LARGEST_TOKEN, TokenRefused, verified
from tests import entra
from tests.entra import ADA, AUDIENCE, OTHER_TENANT, ROBOT, TENANT, V1, V2, Documents, claims_of, key, signed, token
from tests.entra import documents as documents

SETTINGS = EntraSettings(TENANT, (AUDIENCE, "11111111-aaaa-4000-8000-000000000001"))
PUBLIC = key().public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.usefixtures("documents")
async def test_a_user_and_an_application_of_either_version(version: str) -> None:
    ada = await verified(token(version), SETTINGS)
    assert (ada.id, ada.kind, ada.name) == (f"{TENANT}:{ADA}", USER, "Ada Asker")
    assert ada.roles == {OPERATOR, PRIVILEGED}
    issuer = V2 if version == "2.0" else V1
    robot = await verified(signed(entra.application(ver=version, iss=issuer, idtyp="app")), SETTINGS)
    assert (robot.id, robot.kind) == (f"{TENANT}:{ROBOT}", APPLICATION)


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize(
    "claims",
    [
        lambda: claims_of(exp=seconds(-30)),
        lambda: claims_of(nbf=seconds(30)),
        lambda: claims_of(aud="11111111-aaaa-4000-8000-000000000001"),
        lambda: claims_of(tid=TENANT.upper()),
        lambda: entra.application(),
    ],
)
async def test_what_is_as_good(claims: Callable[[], dict[str, Any]]) -> None:
    assert (await verified(signed(claims()), SETTINGS)).tenant_id == TENANT


def seconds(from_now: int) -> int:
    """A moment as a claim has it; tests of a table may run long after it was made."""
    return int(time.time()) + from_now


def without(*names: str) -> str:
    return signed({name: value for name, value in claims_of().items() if name not in names})


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def tampered(changes: dict[str, Any]) -> str:
    head, _, signature = token().split(".")
    claims = json.dumps(claims_of(**changes)).encode()
    return f"{head}.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"


def hs256() -> str:
    """Signed with the text of the public key, which everybody has."""
    header, claims = {"alg": "HS256", "typ": "JWT", "kid": "own"}, claims_of()
    made = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256")
    body = unsigned(header, claims).rsplit(".", 1)[0]
    signature = made.sign(body.encode(), PUBLIC)
    return f"{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def es256() -> str:
    return jwt.encode(claims_of(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "own"})


def in_header(**more: Any) -> Callable[[], str]:
    """Signed by a stranger's key, which the header points to or carries."""
    return lambda: signed(claims_of(), by="stranger", **more)


def signed_raw(changes: dict[str, Any]) -> str:
    """Signed without the library's own look at the claims."""
    data = json.dumps({**claims_of(), **changes}).encode()
    return jwt.api_jws.encode(data, key(), "RS256", headers={"kid": "own"})


def of_type(name: str, other: Callable[[Any], Any]) -> str:
    """A claim that is right but for its type."""
    return signed_raw({name: other(claims_of()[name])})


STRANGERS = entra.jwk(key("stranger"), "own")
BAD: dict[str, Callable[[], str]] = {
    # A claim is missing.
    **{f"no {name}": partial(without, name) for name in ("aud", "iss", "exp", "nbf", "tid", "oid", "sub", "ver")},
    "no aud nor iss": lambda: without("aud", "iss"),
    # A claim is of a wrong type.
    **{f"{name} is a list": partial(of_type, name, lambda value: [value]) for name in ("aud", "tid", "oid", "sub")},
    **{f"{name} is a text": partial(of_type, name, str) for name in ("exp", "nbf")},
    **{f"{name} is a fraction": partial(of_type, name, lambda value: value + 0.5) for name in ("exp", "nbf")},
    "exp is endless": lambda: signed_raw({"exp": float("inf")}),
    "exp is true": lambda: signed_raw({"exp": True}),
    "iss is a list": lambda: signed_raw({"iss": [V2]}),
    "roles is a text": lambda: token(roles="Moor.Privileged"),
    "roles holds a number": lambda: token(roles=[1]),
    "groups is a text": lambda: token(groups=ADA),
    "scp is a list": lambda: token(scp=["access_as_user"]),
    "idtyp is a list": lambda: token(idtyp=["user"]),
    "tid is no GUID": lambda: token(tid="common"),
    "oid is no GUID": lambda: token(oid=f"{ADA}'"),
    # A claim is wrong.
    "aud of another API": lambda: token(aud="https://graph.microsoft.com"),
    "aud in other letters": lambda: token(aud=AUDIENCE.upper()),
    "aud with more behind it": lambda: token(aud=f"{AUDIENCE}/more"),
    "iss of a stranger": lambda: token(iss="https://login.example.net/"),
    "v1 issuer of another tenant": lambda: token("1.0", iss=f"https://sts.windows.net/{OTHER_TENANT}/"),
    "v2 issuer of another tenant": lambda: token(iss=V2.replace(TENANT, OTHER_TENANT)),
    "tid of another tenant": lambda: token(tid=OTHER_TENANT),
    "ver of the other issuer": lambda: token("2.0", ver="1.0"),
    "ver unknown": lambda: token(ver="3.0"),
    "expired": lambda: token(exp=seconds(-3600)),
    "expired for 90 seconds": lambda: token(exp=seconds(-90)),
    "not yet valid": lambda: token(nbf=seconds(3600)),
    "valid in two minutes": lambda: token(nbf=seconds(120)),
    # Not an access token for this API.
    "an ID token": lambda: token(scp=None, nonce="n"),
    "an ID token of an application's user": lambda: token(scp=None, idtyp="user"),
    "a user without a scope": lambda: token(scp="  "),
    "an application with a scope": lambda: token(idtyp="app"),
    # Its signature.
    "alg none": lambda: unsigned({"alg": "none", "typ": "JWT", "kid": "own"}, claims_of()) + "x",
    "alg none, no signature": lambda: unsigned({"alg": "none", "kid": "own"}, claims_of()),
    "alg None": lambda: unsigned({"alg": "NoNe", "kid": "own"}, claims_of(), b"x"),
    "alg HS256": hs256,
    "alg ES256": es256,
    "alg RS512": lambda: jwt.encode(claims_of(), key(), algorithm="RS512", headers={"kid": "own"}),
    "alg PS256": lambda: jwt.encode(claims_of(), key(), algorithm="PS256", headers={"kid": "own"}),
    "no kid": lambda: jwt.encode(claims_of(), key(), algorithm="RS256"),
    "foreign kid": lambda: signed(claims_of(), by="stranger", kid="stranger"),
    "own kid, foreign key": lambda: signed(claims_of(), by="stranger"),
    "claims changed": lambda: tampered({"oid": ADA, "roles": ["Moor.Approver"]}),
    "jku": in_header(jku="https://login.example.net/keys"),
    "x5u": in_header(x5u="https://login.example.net/certificate"),
    "jwk": in_header(jwk=STRANGERS),
    "jku and a kid of its own": in_header(kid="stranger", jku="https://login.example.net/keys"),
    "good claims, said to be nested": lambda: signed(claims_of(), cty="JWT"),
    "crit": lambda: signed(claims_of(), crit=["exp"]),
    # Its form.
    "nested": lambda: signed({"jwt": token()}, cty="JWT"),
    "nested in text": lambda: jwt.api_jws.encode(token().encode(), key(), "RS256", headers={"kid": "own"}),
    "typ of something else": lambda: signed(claims_of(), typ="secevent+jwt"),
    "five parts": lambda: f"{token()}.x.y",
    "two parts": lambda: token().rsplit(".", 1)[0],
    "a space in it": lambda: token().replace(".", ". ", 1),
    "claims are a list": lambda: jwt.api_jws.encode(b"[1]", key(), "RS256", headers={"kid": "own"}),
    "deeply nested claims": lambda: jwt.api_jws.encode(b"[" * 9000, key(), "RS256", headers={"kid": "own"}),
    "no text": lambda: "\u00e4.b.c",
    "1 MB": lambda: signed(claims_of(padding="a" * 1024 * 1024)),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token(name: str, documents: Documents) -> None:
    bad = BAD[name]()
    with pytest.raises(TokenRefused) as caught:
        await verified(bad, SETTINGS)
    assert caught.value.claimed in (None, f"{TENANT}:{ADA}", f"{OTHER_TENANT}:{ADA}")
    assert '"' not in caught.value.reason
    # Nobody is asked for keys but the tenant's own login endpoint.
    assert {url.split("/")[2] for url in documents.read} <= {"login.microsoftonline.com"}


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize(
    "header",
    [{"jku": "https://login.example.net/k"}, {"x5u": "https://login.example.net/c"}, {"jwk": STRANGERS}],
    ids=lambda header: next(iter(header)),
)
async def test_what_the_header_says_of_keys_changes_nothing_about_a_good_token(header: dict[str, Any]) -> None:
    assert (await verified(signed(claims_of(), **header), SETTINGS)).object_id == ADA


@pytest.mark.usefixtures("documents")
async def test_the_longest_token_and_one_character_more() -> None:
    def of_length(length: int) -> str:
        made = token(padding="")
        return token(padding="a" * ((length - len(made)) * 3 // 4 - 3))

    fits = of_length(LARGEST_TOKEN)
    assert LARGEST_TOKEN - 8 < len(fits) <= LARGEST_TOKEN
    assert (await verified(fits, SETTINGS)).object_id == ADA
    with pytest.raises(TokenRefused, match="too long"):
        await verified(of_length(LARGEST_TOKEN + 16), SETTINGS)


@pytest.mark.usefixtures("documents")
@pytest.mark.parametrize("overflow", [{"_claim_names": {"groups": "src1"}}, {"hasgroups": True}])
async def test_groups_that_are_left_out_are_no_reason_to_guess(overflow: dict[str, Any]) -> None:
    with pytest.raises(GroupsMissing, match=f"{TENANT}:{ADA}"):
        await verified(token(**overflow), SETTINGS)
