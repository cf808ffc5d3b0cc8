"""Every shape of a secret, in every setting that Azure, a job or a cluster may put it in; and nothing else."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import redaction
from domain.catalogue.explain import ENTRIES
from domain.problems import AzureAnswer, answers_in
from domain.redaction import LONGEST, REDACTED, learn, scrub, scrub_all
from tests.making import CLUSTER_ID, WORKSPACE_ID

URL = "https://management.azure.com/subscriptions/s/providers/P/locations/l/computeOperationsStatus/id"
HEART = "dGhlLWhlYXJ0LW9mLXRoZS1zZWNyZXQ"
JWT = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiIxIn0.{HEART}-_x"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ\n{HEART}\n-----END RSA PRIVATE KEY-----"
# Each holds HEART, which nothing may show.
SECRETS = {
    "storage connection string": "DefaultEndpointsProtocol=https;AccountName=a;"
    f"AccountKey={HEART}+/==;EndpointSuffix=core.windows.net",
    "bus connection string": f"Endpoint=sb://relay/;SharedAccessKeyName=k;SharedAccessKey={HEART}=",
    "connection string in a URL": f"AccountName%3Da%3BAccountKey%3D{HEART}",
    "PEM": PEM,
    "PEM in JSON": json.dumps({"key": PEM}),
    "PEM without an end": PEM.partition("\n-----END")[0],
    "PEM in base64": base64.b64encode(f"-----BEGIN PRIVATE KEY-----\n{HEART}".encode()).decode() + HEART,
    "JWT": JWT,
    "JWT after a word": f"token{JWT}",
    "JWT in a URL": f"Bearer%20{JWT}",
    "JWE": f"{JWT}.{HEART}.{HEART}",
    "bearer": f"Bearer {HEART}",
    "header": f"Authorization: Custom {HEART} {HEART}",
    "header in JSON": json.dumps({"authorization": f"Basic {HEART}"}),
    "function key": f"x-functions-key: {HEART}",
    "SAS": f"https://a.blob.core.windows.net/c?sv=2022-11-02&se=2026-01-01&sig={HEART}%3D",
    "SAS without its URL": f"sig={HEART}%3D&se=2026",
    "SAS of a bus": f"SharedAccessSignature sr=sb%3a%2f%2fr&sig={HEART}%3d&se=1&skn=k",
    "operation URL": f"{URL}?api-version=2025-12-01&t=63&c=MII{HEART}&s={HEART}&h={HEART}",
    "operation URL in HTML": f"<a href='{URL}?api-version=1&amp;h={HEART}'>",
    "operation URL in JSON": f'{{"url": "{URL}?a=b\\u0026sig={HEART}"}}',
    "URL with a password": f"postgres://moor:{HEART}@db.example.net/x",
    "URL with an @ in its password": f"https://moor:a@{HEART}@db.example.net/x",
    "URL with a token": f"https://{HEART}@git.example.net/x",
    "password": f"Password={HEART};",
    "password in YAML": f"password: {HEART}",
    "password in JSON": json.dumps({"password": f'a "b", c;{HEART}'}),
    "client secret in JSON in JSON": json.dumps(json.dumps({"clientSecret": f"x;y {HEART}"})),
    "primary key": json.dumps({"primaryKey": HEART}),
    "kubeconfig": f"users:\n- user:\n    client-key-data: {HEART}\n",
    "access token": f"access_token={HEART}",
    "PEM with its breaks spelt out": PEM.replace("\n", "\\n"),
    "JWT over two lines": f"{JWT[:40]}\n  {JWT[40:]}",
    "JWT over two lines in JSON": json.dumps(f"{JWT[:40]}\r\n{JWT[40:]}"),
    "JWT that breaks in its header": f"{JWT[:28]}\n{JWT[28:]}",
    "docker configuration": json.dumps({"auths": {"contoso.azurecr.io": {"auth": HEART}}}),
    "docker configuration in base64": base64.b64encode(json.dumps({"auths": {"a": {"auth": HEART}}}).encode()).decode()
    + f"/{HEART}",
    "token of a kubeconfig": f"  user:\n    token: {HEART}",
    "token in JSON": json.dumps({"token": HEART}),
    "secret key": f"secret_key: {HEART}",
    "secret of AWS": f"aws_secret_access_key = {HEART}/K7MDENG",
    "cookie": f"Set-Cookie: ARRAffinity={HEART}; path=/",
    "instrumentation key": f"InstrumentationKey={HEART};IngestionEndpoint=https://x",
    "storage key with its sign in JSON": f"AccountKey\\u003d{HEART}\\u003d",
    "storage key with its sign in HTML": f"AccountKey&#61;{HEART}",
    "SAS with its signs in JSON": f"sv=2022\\u0026sig\\u003d{HEART}",
    "client secret in a sentence": f"The client secret '{HEART}' is wrong",
    "password in a sentence": f"password is {HEART}.",
    "PEM in a URL": quote(PEM, safe="-"),
    "PEM in a form": PEM.replace(" ", "+").replace("\n", "%0A"),
    "key without its PEM lines": f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{HEART}",
    "key of RSA without its PEM lines": f"key MIIEpAIBAAKCAQEA{HEART}\\n{HEART}==",
    "key of a curve without its PEM lines": f"MHcCAQEEI{HEART}",
    "bus connection string in base64": base64.b64encode(b"Endpoint=sb://r/;").decode().rstrip("=") + HEART,
    "storage connection string in base64": base64.b64encode(b"DefaultEndpointsProto").decode() + HEART,
    "kubeconfig in base64": base64.b64encode(b"apiVersion: v1\nkind: Config\n").decode() + HEART,
    "password in braces": f"Driver=x;UID=moor;PWD={{a;{HEART}}};Encrypt=yes",
    "password in XML": f"<connection><password>{HEART}</password></connection>",
    "password in a block of YAML": f"stringData:\n  password: |-\n    {HEART}\n    {HEART}\nkind: Secret",
    "token of a name": json.dumps({"joinToken": f"aB3{HEART}"}),
    "storage key alone": f"the key {base64.b64encode(HEART.encode() * 2 + b'xx').decode()} is refused",
}
# Without a name beside them, and too short or too regular to hold HEART.
BARE = [
    "client_secret 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "client secret: 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "AADSTS7000215: Invalid client secret provided: aB18Q~0123456789abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefgh",
    "glpat-aBcDeFgHiJkLmNoPqRsT",
    "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "sk-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789aBcDeFgHiJkL",
    "sk-proj-aBcDeFgHiJkLmNoPqR-sTuVwXyZ0123456789_aBcDeFgHiJkL",
    "dapi0123456789abcdef0123456789abcdef",
    "xoxb-123456789012-abcdefghijkl",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    f"{'aB3d' * 11}AzFuR4tYuQ==",
    f"{'aB3d' * 10}xYAzSeBq2w3e",
    f"{'aB3d' * 13}JQQJ9{'9bC' * 9}",
    f"{'aB3/' * 10}xY+ACRBq2w3e",
    "Basic dXNlcjpwYXNz",
]
HARMLESS = [
    "",
    CLUSTER_ID,
    WORKSPACE_ID,
    "no URL: a=b, c = d, who?",
    "API-Version is plain: ?API-VERSION=1",
    f"az rest --method delete --url '{URL}?api-version=1&underlyingResourceAction=Detach'",
    "the secret https://contoso-tls.vault.azure.net/secrets/models-key is empty",
    "Basic authentication failed; a Bearer token is missing",
    "The password: must have 12 characters",
    "Secret: models-key",
    "tlsSecret: azureml-fe-tls, continuationToken: none, joinToken: expired",
    '{"pullSecret": "registry-credentials", "nextToken": "page-2"}',
    "Basic Authentication, BASIC AUTHENTICATION and bearer token",
    "task-0123456789abcdefghijklmnop, sk-learn, gl-pat and a group of AzFunctions-and-AzSearch-in-West-Europe-for-APIM",
    f"{CLUSTER_ID}/AzFunctions/APIM/ACR",
    "the certificate MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJRTESMBAGA1UE is not trusted",
    "the token: expired, the secret: azureml-fe-tls-2, the client secret for 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "password required and storage key rotation",
    "identity 3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "eyJust a word\nand 0123456789abcdefghij below",
    "SharedAccessKeyName=RootManageSharedAccessKey",
    "sslKeyPemFile and keyJson.value",
    "kubectl get secret azuremlfessl --output jsonpath={.type}",
    "d41d8cd98f00b204e9800998ecf8427e at https://example.net/simple: 10:30, user@example.net",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_of_every_shape_is_left_out(name: str) -> None:
    for text in (SECRETS[name], f"Azure said: {SECRETS[name]}", f"{{'said': '{SECRETS[name]}'}}, retry"):
        said = scrub(text)
        assert HEART not in said
        assert REDACTED in said or not text
        assert scrub(said) == said


@pytest.mark.parametrize("text", BARE)
def test_a_secret_without_a_sign_before_it_is_left_out(text: str) -> None:
    secret = text.split()[-1]
    assert secret not in scrub(f"({text})")
    assert secret[:20] not in scrub(f"Azure said {text}, twice")


def test_the_key_alone_is_what_the_table_means() -> None:
    key = SECRETS["storage key alone"].split()[2]
    assert len(key) in (88, 44)
    assert scrub(SECRETS["storage key alone"]) == "the key REDACTED is refused"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            f"see {URL}?api-version=2025-12-01&service=new&t=6388&c=MIIa-_&s=b%2Bc=&h=d for more",
            f"see {URL}?api-version=2025-12-01&service=new&t=REDACTED&c=REDACTED&s=REDACTED&h=REDACTED for more",
        ),
        (
            "Max retries exceeded with url: /x?s=abc (Caused by z)",
            "Max retries exceeded with url: /x?s=REDACTED (Caused by z)",
        ),
        ('{"url": "https://x/y?sig=abc"}', '{"url": "https://x/y?sig=REDACTED"}'),
        (SECRETS["bus connection string"], "Endpoint=sb://relay/;SharedAccessKeyName=k;SharedAccessKey=REDACTED"),
        (f"{PEM}\nis refused", "REDACTED\nis refused"),
    ],
)
def test_what_stands_around_a_secret_stays(said: str, kept: str) -> None:
    assert scrub(said) == kept


def test_what_moor_itself_says_stays() -> None:
    for entry in ENTRIES:
        for text in (entry.cause, entry.remedy, entry.command, entry.documentation):
            assert text is None or scrub(text) == text


def test_errors_of_azure_are_scrubbed_at_every_depth() -> None:
    inner = {"code": "B", "message": f"poll {URL}?h=secret"}
    found = answers_in({"code": "A", "message": f"poll {URL}?s=secret", "details": [inner], "innererror": inner})
    assert len(found) == 3
    assert "secret" not in str(found)


def test_whoever_makes_an_answer_of_azure_makes_it_without_secrets() -> None:
    said = SECRETS["bus connection string"]
    assert HEART not in str(AzureAnswer(said, said, 400, said, said))


@pytest.mark.parametrize(
    "value", ["correct horse battery", 'a "quoted" one\\', "tab\tand-ümlaut-🔑", f"line one of it: {HEART}\nline two"]
)
def test_a_value_that_was_read_is_left_out_in_every_spelling(value: str) -> None:
    spellings = [value, json.dumps(value, ensure_ascii=False)[1:-1].replace("\\t", "\t")]
    spellings += [quote(value, safe=""), base64.b64encode(value.encode()).decode()]
    before = [scrub(f"refused: {text}!") for text in spellings]
    learn(value)
    after = [scrub(f"refused: {text}!") for text in spellings]
    assert after == ["refused: REDACTED!"] * len(spellings)
    assert before != after


def test_a_line_of_a_value_is_left_out_alone() -> None:
    learn(f"first line of a key\n  {HEART}\nend")
    assert scrub(f"[{HEART}] at line 2") == "[REDACTED] at line 2"


def test_words_are_not_values() -> None:
    for short in ("", "true", "admin"):
        learn(short)
    assert scrub("true for the admin") == "true for the admin"


def test_the_eldest_values_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_MOST_KNOWN", 8)
    for number in range(100):
        learn(f"value-{number:03d}-{number:03d}")
    assert len(redaction._known) == 8
    assert scrub("value-099-099") == REDACTED


def test_a_long_text_is_cut_and_no_half_of_a_secret_is_left() -> None:
    learn("a vault's value")
    for place in range(LONGEST - 40, LONGEST + 5):
        said = scrub("x" * place + " a vault's value" + "y" * LONGEST)
        assert len(said) <= LONGEST
        assert "vau" not in said
    assert scrub("z" * LONGEST) == "z" * LONGEST


def test_all_texts_of_a_value_are_scrubbed() -> None:
    @dataclass(frozen=True)
    class Held:
        text: str
        number: int
        more: dict[str, list[str]]

    said = SECRETS["bearer"]
    kept = scrub_all((Held(said, 1, {said: [said, "plain"]}), None))
    bearer = f"Bearer {REDACTED}"
    assert kept == (Held(bearer, 1, {bearer: [bearer, "plain"]}), None)


PARTS = [
    "eyJ",
    ".",
    "-----BEGIN A-----",
    "-----END A-----",
    "LS0tLS1CRUdJT",
    "://",
    "@",
    "?a=",
    "&b=",
    "&amp;",
    "Bearer ",
    "Authorization: ",
    "pwd=",
    "password",
    "apiKey",
    "access",
    "shared-",
    ":",
    "=",
    '\\"',
    "'",
    " ",
    "A" * 43,
    "%3D",
    "sig",
    "\n",
    "\\",
    "SharedAccessSignature ",
    "x" * 20,
    REDACTED,
    "client secret ",
    "password: |\n ",
    "PWD={",
    "<password>",
    "joinToken: ",
    "MIIEvQIBADANBgkq",
    "Cookie: ",
    "AKIA" + "A1" * 8,
    "token: ",
    "aB3" * 8,
    "\\u003d",
    "\ue000",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=8), max_size=30).map("".join))
def test_scrubbing_again_changes_nothing_and_shows_nothing_more(text: str) -> None:
    once = scrub(text)
    twice = scrub(once)
    assert scrub(twice) == twice
    assert len(once) <= LONGEST


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(SECRETS)),
    st.text(st.characters(exclude_characters="eE", codec="utf-8"), max_size=30),
    st.sampled_from([" ", "\n", ": ", ' "', " '", " (", ", ", "; ", "<"]),
    st.sampled_from(["", " ", "\n", '"', "'", ")", ", ", ">", ". Retry."]),
)
def test_a_secret_is_found_wherever_it_stands(name: str, before: str, gap: str, after: str) -> None:
    assert HEART not in scrub(f"{before}{gap}{SECRETS[name]}{after}")


@pytest.mark.parametrize(
    "part", [*PARTS, "a.", "a@", "&a", "password ", "shared-access-", "identity_", "Bearer+", "-", "="]
)
def test_no_text_takes_long(part: str) -> None:
    """Linear: four times the text takes about four times as long, and never as long as a person would notice."""
    text = (part * LONGEST)[:LONGEST]
    for candidate in (text, f"={text}", f"://{text}", f"password:{text}"):
        begun = time.process_time()
        scrub(candidate)
        assert time.process_time() - begun < 1.0
