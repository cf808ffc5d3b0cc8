"""What whoever asked may do in Azure: nobody gets done by the app what its own roles would not let it do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from domain.access.privileges import privileges_of
from domain.arm_ids import same_resource
from domain.preflight.check import Judgement, fails, passes, warns
from domain.preflight.facts import CallerRights, Facts, Unread
from domain.preflight.permissions import allows

CHECK = "callerPermissions"
_COMPUTES = "Microsoft.MachineLearningServices/workspaces/computes"
_EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
_GRANT = "Microsoft.Authorization/roleAssignments/write"
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PRINCIPAL = re.compile(rf"{_GUID}:({_GUID})", re.IGNORECASE)
Need = tuple[str, str]  # An action, and the scope at which it is needed.


def object_id(principal: str | None) -> str | None:
    """The object id of a principal that a record names ``tenant:object id``; None for nobody and holders of keys."""
    found = _PRINCIPAL.fullmatch(principal or "")
    return found[1].lower() if found else None


def needed_to_attach(facts: Facts) -> Iterator[Need]:
    """What an attach or a reattach does in the caller's stead."""
    yield f"{_COMPUTES}/write", str(facts.workspace_id)
    if facts.reattach:
        yield f"{_COMPUTES}/delete", str(facts.workspace_id)
    if isinstance(facts.extension, Unread) or facts.extension.change is not None:
        yield f"{_EXTENSIONS}/write", str(facts.cluster_id)
    if facts.caller is not None:
        for scope in facts.caller.grants:
            yield _GRANT, scope


def needed_to_detach(request: Mapping[str, object], workspace_id: str, cluster_id: str | None) -> Iterator[Need]:
    """What a detach does in the caller's stead."""
    yield f"{_COMPUTES}/delete", workspace_id
    clean_up = request.get("cleanUp")
    if cluster_id and isinstance(clean_up, Mapping) and clean_up.get("extension"):
        yield f"{_EXTENSIONS}/delete", cluster_id


def caller_permissions(facts: Facts) -> Judgement:
    """The check of an attach and a reattach."""
    return judge(facts.caller, tuple(needed_to_attach(facts)), facts.request)


def judge(rights: CallerRights | None, needed: Sequence[Need], request: Mapping[str, object]) -> Judgement:
    """Whether the caller's roles hold what is needed: what they lack is a failure.

    What is unknown is a warning, and a failure for a request with a privileged option.
    """
    if rights is None:
        return passes("Nobody with an identity asked: there are no roles to look at.")
    judged = [(action, scope, _allowed(rights, action, scope)) for action, scope in needed]
    missing = [(action, scope) for action, scope, allowed in judged if allowed is False]
    unsure = [(action, scope) for action, scope, allowed in judged if allowed is None]
    if missing:
        return fails(
            f"Whoever asked may not do alone what the app is to do: {_in_words(missing)} is missing.",
            "Have somebody ask who may, or grant the caller a role that has this.",
            f"az role assignment create --assignee-object-id {rights.object_id} --role <role> --scope {missing[0][1]}",
        )
    if not unsure and rights.unread is None:
        return passes("Whoever asked may do alone what the app is to do.")
    why = f" ({rights.unread})" if rights.unread else ""
    about = f" for {_in_words(unsure)}" if unsure else ""
    message = f"Whether the roles of whoever asked suffice{about} is unknown{why}."
    remedy = "Look at the caller's roles; a role with a condition is not judged here."
    command = f"az role assignment list --assignee {rights.object_id} --include-inherited --include-groups --all"
    if privileges_of(request):
        return fails(f"{message} A privileged option depends on it.", remedy, command)
    return warns(message, remedy, command)


def _allowed(rights: CallerRights, action: str, scope: str) -> bool | None:
    held = next((found for known, found in rights.held.items() if same_resource(known, scope)), None)
    if held is None or isinstance(held, Unread):
        return None
    return allows(held, action)


def _in_words(needed: Sequence[Need]) -> str:
    return ", ".join(f"{action} on {scope.rsplit('/', 1)[-1]}" for action, scope in needed)
