"""One entry of the catalogue, and what it takes to recognise it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from domain.problems import AzureAnswer

# Situations: the same words of Azure mean different things in each.
ATTACH, DETACH, EXTENSION, HEALTH = "attach", "detach", "extension", "health"
JOB, ENDPOINT, REQUEST, MOOR = "job", "endpoint", "request", "moor"

TROUBLESHOOT_COMPUTE = "https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-kubernetes-compute"
TROUBLESHOOT_EXTENSION = "https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-kubernetes-extension"
TROUBLESHOOT_ENDPOINTS = "https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-online-endpoints"
ATTACH_GUIDE = "https://learn.microsoft.com/azure/machine-learning/how-to-attach-kubernetes-to-workspace"
DEPLOY_GUIDE = "https://learn.microsoft.com/azure/machine-learning/how-to-deploy-kubernetes-extension"
INSTANCE_TYPES_GUIDE = "https://learn.microsoft.com/azure/machine-learning/how-to-manage-kubernetes-instance-types"

# Options that commands share.
AT_WORKSPACE = "--workspace-name {workspace} --resource-group {workspace_group} --subscription {subscription}"
AT_CLUSTER = (
    "--cluster-type {cluster_type} --cluster-name {cluster} --resource-group {cluster_group} "
    "--subscription {cluster_subscription}"
)
# Commands of az aks take names: they have no --ids.
AKS = "--name {cluster} --resource-group {cluster_group} --subscription {cluster_subscription}"
SHOW_EXTENSION = f"az k8s-extension show --name {{extension}} {AT_CLUSTER}"
SHOW_CLUSTER = "az resource show --ids {cluster_id}"
PODS = "kubectl get pods --namespace azureml --output wide"
REATTACH = "Detach the compute and attach it again, with the same name and namespace."

# Characters of a text that are looked at, and those that may stand between two words of an entry.
_LONGEST, _BETWEEN = 16_384, ".{0,2000}"
# What an answer known by its words alone may still be: a guess, which words further in overrule, or a wrapper, to which
# they are added.
GUESS, WRAPPER = "guess", "wrapper"
# Facts that say which checks of preflight have passed in this operation are named after them.
_PASSED = "passed_"
# Facts that say how the operation has set the extension are named after the setting.
_SET = "set_"
# The check after which no role of the workspace's identity is to blame.
WORKSPACE_ROLES = "workspaceRoles"
# The same for the compute's: that it has an identity, and that this has its roles.
COMPUTE_IDENTITY, COMPUTE_ROLES = "computeIdentity", "computeRoles"

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# What a command says for a fact that is not at hand but that Azure tells.
_LOOKED_UP = {
    "workspace_principal": "$(az resource show --ids {workspace_id} "
    "--query 'identity.userAssignedIdentities.*.principalId | [0]' --output tsv)",
    "compute_principal": "$(az resource show --ids {compute_id} "
    "--query 'not_null(identity.principalId, (identity.userAssignedIdentities.*.principalId)[0])' --output tsv)",
    "storage_id": "$(az resource show --ids {workspace_id} --query properties.storageAccount --output tsv)",
    "registry_id": "$(az resource show --ids {workspace_id} --query properties.containerRegistry --output tsv)",
    "moor_principal": "$(az functionapp identity show --name {app} --resource-group {app_group} "
    "--query 'not_null(principalId, (userAssignedIdentities.*.principalId)[0])' --output tsv)",
}


@dataclass(frozen=True)
class Match:
    """What an answer has to be; every part that is given must fit.

    ``codes`` compare without regard to case, ``text`` is a regular expression searched in the message likewise (its
    named groups become facts). ``given`` and ``unless`` name facts that must or must not be known of the operation.
    """

    codes: tuple[str, ...] = ()
    text: str | None = None
    statuses: tuple[int, ...] = ()
    given: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def facts_in(self, answer: AzureAnswer, facts: Mapping[str, str]) -> dict[str, str] | None:
        """The facts that the answer's words give; None when the answer is another one."""
        if self.codes and (answer.code or "").lower() not in {c.lower() for c in self.codes}:
            return None
        if self.statuses and answer.status not in self.statuses:
            return None
        if any(name not in facts for name in self.given) or any(name in facts for name in self.unless):
            return None
        if self.text is None:
            return {}
        found = _compiled(self.text).search((answer.message or "")[:_LONGEST])
        return None if found is None else _with_kind({k: v for k, v in found.groupdict().items() if v})


@cache
def _compiled(text: str) -> re.Pattern[str]:
    """What stands between two words is bounded: with ``.*`` a long text of the first word alone takes minutes."""
    return re.compile(text.replace(".*", _BETWEEN), re.IGNORECASE | re.DOTALL)


def _with_kind(facts: dict[str, str]) -> dict[str, str]:
    """A kind of Kubernetes also as commands write it."""
    return {**facts, "resource": facts["kind"].lower()} if "kind" in facts else facts


@dataclass(frozen=True)
class Sample:
    """What Azure says. ``quoted`` is false where the sources describe the words without quoting them.

    ``facts`` are what has to be known of the operation for the entry to hold.
    """

    code: str | None
    message: str
    status: int | None = None
    quoted: bool = True
    facts: tuple[str, ...] = ()

    @property
    def answer(self) -> AzureAnswer:
        """The sample as an answer."""
        return AzureAnswer(self.code, self.message, self.status)


COMPUTE_MADE, EXTENSION_MADE = "compute", "extension"


@dataclass(frozen=True)
class Without:
    """A remedy that holds once something the operation made is reverted: ``of`` is COMPUTE_MADE or EXTENSION_MADE."""

    of: str
    remedy: str


@dataclass(frozen=True)
class Entry:
    """One failure. ``code`` is Moor's; entries that share a code tell themselves apart by ``variant``.

    Texts hold ``{placeholders}`` for facts of the operation. ``transient``: asking again later may succeed without
    anybody doing anything. An entry without ``on`` is never found by Azure's words: Moor raises it.

    ``vague`` is GUESS or WRAPPER where the words may stand around a cause that is further in. ``ruled_out_by`` are
    checks of preflight: when all of them have passed in the operation, the entry blames what was seen to be right, and
    is not chosen. No more is it where the operation has one of the settings in ``set_already`` (``name=value``), which
    the remedy asks for. ``without`` is the remedy once the operation has reverted what it made.
    """

    code: str
    situations: tuple[str, ...]
    cause: str
    remedy: str
    command: str
    variant: str | None = None
    on: tuple[Match, ...] = ()
    samples: tuple[Sample, ...] = ()
    transient: bool = False
    documentation: str | None = None
    vague: str | None = None
    ruled_out_by: tuple[str, ...] = ()
    set_already: tuple[str, ...] = ()
    without: Without | None = None

    @property
    def key(self) -> str:
        """Unique in the catalogue: the code, with the variant if there is one."""
        return f"{self.code}-{self.variant}" if self.variant else self.code

    def facts_in(self, answer: AzureAnswer, facts: Mapping[str, str]) -> dict[str, str] | None:
        """The facts that the answer's words give; None when the answer is not this entry's."""
        if self.ruled_out_by and all(passed(check) in facts for check in self.ruled_out_by):
            return None
        if any(is_set(setting) in facts for setting in self.set_already):
            return None
        for match in self.on:
            found = match.facts_in(answer, facts)
            if found is not None:
                return found
        return None


def passed(check: str) -> str:
    """Name of the fact that a check of preflight has passed in the operation."""
    return f"{_PASSED}{check}"


def is_set(setting: str) -> str:
    """Name of the fact that the operation has set the extension so; ``setting`` is ``name=value``."""
    return f"{_SET}{setting.lower()}"


def fill_text(template: str, facts: Mapping[str, str]) -> str:
    """A sentence with its placeholders filled; one that is not known stays as ``<name>``."""
    return _PLACEHOLDER.sub(lambda m: facts.get(m[1]) or _unknown(m[1]), template)


def fill_command(template: str, facts: Mapping[str, str]) -> str:
    """A command line with its placeholders filled and quoted; one that is not known stays as ``<name>``."""

    def word(found: re.Match[str]) -> str:
        name = found[1]
        if facts.get(name):
            return shlex.quote(facts[name])
        return fill_command(_LOOKED_UP[name], facts) if name in _LOOKED_UP else _unknown(name)

    return _PLACEHOLDER.sub(word, template)


def _unknown(name: str) -> str:
    return f"<{name.replace('_', '-')}>"


def coded(*codes: str) -> Match:
    """An answer known by its code."""
    return Match(codes=codes)


def worded(text: str) -> Match:
    """An answer known by its words, whatever its code: Azure wraps them in codes that say nothing."""
    return Match(text=text)
