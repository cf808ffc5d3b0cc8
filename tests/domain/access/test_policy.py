"""A policy is read strictly. ``python -m tests.domain.access.test_policy`` writes its JSON Schema into docs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.access.policy import LARGEST, parse_policy, schema
from domain.violations import INVALID, NOT_YET, Refused
from tests.domain.access.policies import EXAMPLE, document, example, parsed
from tests.making import CLUSTER_ID, SUB, WORKSPACE_ID

SCHEMA = EXAMPLE.with_name("policy.schema.json")
RENDERED = json.dumps(schema(), indent=2) + "\n"


def refused(body: Any) -> dict[str, str]:
    """Code of every violation by its place."""
    with pytest.raises(Refused) as caught:
        parsed(body)
    return {v.target: v.code for v in caught.value.violations}


def test_the_example_is_read_but_for_what_a_later_release_brings() -> None:
    assert refused(json.loads(EXAMPLE.read_bytes())) == {"/workspaces/0/create": NOT_YET}
    entry = parsed(example()).workspaces[0]
    assert entry.approval == "whenForced"
    assert entry.events
    assert not entry.administratorCredential
    assert entry.who.reader == ["*"]


def test_the_schema_in_docs_is_that_of_the_code() -> None:
    assert SCHEMA.read_text("utf-8") == RENDERED, "write it: python -m tests.domain.access.test_policy"


def test_the_schema_takes_the_example_and_what_comes_later() -> None:
    body = json.loads(EXAMPLE.read_bytes())
    body["workspaces"][0].update(privateScoring=True, onUntag={"action": "detach"})
    Draft202012Validator(schema()).validate(body)
    assert refused(body) == dict.fromkeys(("/workspaces/0/create", "/workspaces/0/privateScoring"), NOT_YET)


def test_an_attachment_may_go_with_its_tag() -> None:
    workloads = {"policy": "wait", "deadline": "PT24H", "onDeadline": "approve"}
    (entry,) = parsed(document(onUntag={"action": "detach", "workloads": workloads})).workspaces
    assert (entry.onUntag.action, entry.onUntag.workloads.policy) == ("detach", "wait")
    (default,) = parsed(document()).workspaces
    assert (default.onUntag.action, default.onUntag.workloads.policy) == ("keep", "refuse")


@pytest.mark.parametrize(
    ("workloads", "field"),
    [
        ({"policy": "force"}, "policy"),
        ({"policy": "wait", "onDeadline": "force"}, "onDeadline"),
        ({"endpoints": "delete"}, "endpoints"),
    ],
)
def test_a_tag_may_ask_for_nothing_privileged(workloads: dict[str, str], field: str) -> None:
    for action in ("keep", "detach"):
        body = document(onUntag={"action": action, "workloads": workloads})
        assert refused(body) == {f"/workspaces/0/onUntag/workloads/{field}": INVALID}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"match": "*"}, "match"),
        ({"match": WORKSPACE_ID.replace(SUB, "*")}, "match"),
        ({"clusters": [CLUSTER_ID.replace(SUB, "*")]}, "clusters/0"),
        ({"clusters": [WORKSPACE_ID]}, "clusters/0"),
        ({"who": {"owner": []}}, "who/owner"),
        ({"who": {"operator": ["ada@example.net"]}}, "who/operator/0"),
        ({"who": {"operator": ["user:ada"]}}, "who/operator/0"),
        ({"who": {"operator": ["*", "group:*"]}}, "who/operator/1"),
        ({"who": None}, "who"),
        ({"namespaces": ["Team"]}, "namespaces/0"),
        ({"secrets": ["https://kv.vault.azure.net/keys/k"]}, "secrets/0"),
        ({"identities": ["x"]}, "identities/0"),
        ({"relays": [WORKSPACE_ID]}, "relays/0"),
        ({"approval": "sometimes"}, "approval"),
        ({"events": "true"}, "events"),
        ({"events": 1}, "events"),
        ({"runCommand": None}, "runCommand"),
        ({"extra": {}}, "extra"),
        ({"onUntag": {"action": "delete"}}, "onUntag/action"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_its_place(change: dict[str, Any], place: str) -> None:
    body = document(**change)
    assert refused(body) == {f"/workspaces/0/{place}": INVALID}
    if place not in ("match", "clusters/0", "relays/0", "identities/0"):
        assert not Draft202012Validator(schema()).is_valid(body)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    body = {**document(events="no", approval="x"), "extra": 1, "version": 2}
    assert sorted(refused(body)) == ["/extra", "/version", "/workspaces/0/approval", "/workspaces/0/events"]


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b'{"version": 1}', b'{"a": 1, "a": 2}', b"\xff", b"NaN"])
def test_what_is_no_policy_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        parse_policy(data)


def test_a_policy_has_a_size() -> None:
    with pytest.raises(Refused, match="bytes"):
        parse_policy(b" " * (LARGEST + 1))


def test_the_first_entry_that_matches_counts() -> None:
    anywhere = f"/subscriptions/{SUB}/resourceGroups/*/providers/Microsoft.MachineLearningServices/workspaces/*"
    first, second = (document(match=m, events=e)["workspaces"][0] for m, e in ((WORKSPACE_ID, True), (anywhere, False)))
    policy = parsed({"version": 1, "workspaces": [first, second]})
    for spelling in (WORKSPACE_ID, WORKSPACE_ID.upper()):
        assert policy.entry_of(spelling) is policy.workspaces[0]
    assert policy.entry_of(WORKSPACE_ID + "2") is policy.workspaces[1]
    assert policy.entry_of(WORKSPACE_ID.replace(SUB, SUB[:-1] + "6")) is None


if __name__ == "__main__":
    SCHEMA.write_text(RENDERED, "utf-8")
