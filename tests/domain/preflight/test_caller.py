"""What whoever asked may do alone: what is lacking fails; what is unknown warns, or fails what is privileged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.preflight.caller import judge, needed_to_attach, needed_to_detach, object_id
from domain.preflight.facts import CallerRights, ExtensionFacts, Facts, Permission, Unread
from tests.domain.access.policies import ADA, TENANT
from tests.domain.preflight.case import Case, assert_judged, untested
from tests.domain.preflight.clusters import GOOD

ALL = (Permission(("*",)),)
WORKSPACE, CLUSTER = str(GOOD.workspace_id), str(GOOD.cluster_id)
INSTALLS = replace(GOOD, extension=ExtensionFacts(change="installed"))


def rights(workspace: Any = ALL, cluster: Any = ALL, **more: Any) -> CallerRights:
    return CallerRights(ADA, {WORKSPACE: workspace, CLUSTER.upper(): cluster, **more.pop("held", {})}, **more)


def case(name: str, caller: CallerRights | None, outcome: str, says: str = "", facts: Facts = INSTALLS) -> Case:
    return Case("callerPermissions", name, replace(facts, caller=caller), outcome, says)


GRANTS = replace(INSTALLS, request={**GOOD.request, "grantRoles": True})
READS = (Permission(("*/read",)),)
CONDITIONAL = (Permission(("*",), conditional=True),)
CASES = [
    case("nobody", None, "pass", "Nobody"),
    case("may all", rights(), "pass"),
    case("reads only", rights(READS), "fail", "computes/write on "),
    case("nothing", rights((), ()), "fail", "extensions/write on "),
    case("takes it out", rights((Permission(("*",), ("*/computes/write",)),)), "fail", "computes/write"),
    case("another's cluster", rights(cluster=READS), "fail", "extensions/write"),
    case("installs nothing", rights(cluster=READS), "pass", facts=replace(GOOD, extension=ExtensionFacts())),
    case("outlook unknown", rights(cluster=READS), "fail", facts=replace(GOOD, extension=Unread("no"))),
    case("unread", rights(Unread("403 Forbidden")), "warning", "is unknown"),
    case("condition", rights(CONDITIONAL), "warning", "is unknown"),
    case("condition, privileged", rights(CONDITIONAL), "fail", "privileged", facts=GRANTS),
    case("grants", rights(grants=(CLUSTER,)), "pass", facts=GRANTS),
    case("grants not", rights(cluster=(Permission(("*",), ("Microsoft.Authorization/*",)),), grants=(CLUSTER,)), "fail",
         "roleAssignments/write", facts=GRANTS),
    case("grants elsewhere", rights(grants=("/elsewhere",)), "fail", "privileged", facts=GRANTS),
    case("grants unknown", rights(unread="no answer"), "fail", "no answer", facts=GRANTS),
    case("reattach", rights((Permission(("*/write",)),)), "fail", "/delete", facts=replace(INSTALLS, reattach=True)),
]  # fmt: skip


@pytest.mark.parametrize("each", CASES, ids=lambda each: each.name)
def test_the_check(each: Case) -> None:
    assert_judged(each)


def test_every_outcome_has_a_case() -> None:
    assert untested("domain.preflight.caller", CASES) == set()


def test_what_a_detach_needs() -> None:
    assert [*needed_to_detach({}, WORKSPACE, CLUSTER)] == [
        ("Microsoft.MachineLearningServices/workspaces/computes/delete", WORKSPACE)
    ]
    needed = tuple(needed_to_detach({"cleanUp": {"extension": True}}, WORKSPACE, CLUSTER))
    assert needed[1:] == (("Microsoft.KubernetesConfiguration/extensions/delete", CLUSTER),)
    assert judge(rights(cluster=READS), needed, {}).outcome == "fail"
    assert judge(rights(), needed, {}).outcome == "pass"
    assert next(iter(needed_to_attach(GOOD)))[0].endswith("/computes/write")


@pytest.mark.parametrize(
    "text", [None, "", "ada@example.net", ADA, f"{TENANT}:x", f"{TENANT}:{ADA}') or ('1' eq '1", f"{TENANT}:{ADA}\n"]
)
def test_what_is_no_principal_never_reaches_a_filter(text: str | None) -> None:
    assert object_id(text) is None


def test_a_principal_is_tenant_and_object() -> None:
    assert object_id(f"{TENANT}:{ADA.upper()}") == ADA
