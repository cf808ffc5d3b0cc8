"""How an operation meets each entry of the catalogue: what simulated Azure is told to say, and to which request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from domain.catalogue.entry import ATTACH, DETACH, ENDPOINT, EXTENSION, HEALTH, JOB, REQUEST, Entry, Sample
from domain.catalogue.explain import ENTRIES, GENERIC
from domain.extension.keys import KEYS
from local import world as worlds
from local.stack import Stack
from tests.scenarios.catalogue_own_ways import OWN_WAYS
from tests.scenarios.helpers import Place, install_extension, put_in_place

_OF_INFERENCE = {"enableInference", "inferenceRouterHA"}
_INFERENCE = {"enableInference": True, "allowInsecureConnections": True, "inferenceRouterServiceType": "clusterIP"}
# The words of a failure that no entry knows.
UNHEARD = Sample("NeverHeardOf", "The flux of the matrix is out of phase.", 418)
UNHEARD_REPORT = Sample("E49990", "NEVER_HEARD_OF")
_ROLES = (
    "Reader",
    "Kubernetes Extension Contributor",
    "Azure Kubernetes Service Cluster Admin Role",
)

# Entries that no operation of this release can meet, each with the reason.
UNMET = {
    **{
        entry.key: "no operation deploys to an endpoint or looks at its deployments' errors; for a later operation"
        for entry in ENTRIES
        if set(entry.situations) <= {ENDPOINT}
    },
    "ComputeMissing": "a job is submitted only once the compute is seen to be there",
    "AttachAcrossSubscriptions": "a request across subscriptions is refused before it becomes an operation",
    "GroupNameEndsWithHyphen": "the job's words count only in a workspace that preflight names already",
    "ExtensionNeedsManagedIdentity": "preflight finds it first; where it does not, these words are doubted",
    "RoleAssignmentExists": "that an assignment is there already is success",
    "ClusterNotReachable": "an attach comes to these words only where the cluster ran when it looked",
    "ProviderNotRegistered-extension-addons": "preflight sees the provider registered, in the one subscription of all",
    "TrainingNotEnabled": "a smoke test is taken only with enableTraining, and runs where the extension has it",
    "StorageRefused-roles-seen": "these workspaces have no storage account on which the compute could have a role",
    "ImageNotPulled-roles-seen": "these workspaces have no registry on which the compute could have a role",
    "WorkspaceIdentityLacksRole-arc": "the same words of a cluster of Azure Arc; all of these are of AKS",
    "ProxyCatchesLoopback": "the same words of a cluster of Azure Arc; all of these are of AKS",
}


@dataclass(frozen=True)
class Way:
    """One operation that is to meet an entry. ``passes``: it goes on by itself when Azure stops saying so."""

    entry: Entry
    situation: str
    sample: Sample
    number: int
    passes: bool = False
    facts: frozenset[str] = field(default_factory=frozenset)

    @property
    def kind(self) -> str:
        return "detach" if self.situation == DETACH else "attach"

    @property
    def place(self) -> Place:
        name = f"met-{self.number}"
        return Place(worlds.workspace_id(name), worlds.cluster_id(name), name)

    @property
    def body(self) -> dict[str, Any]:
        if self.kind == "detach":
            return self.place.detach_body()
        more: dict[str, Any] = {"onFailure": "keep"}
        if self.situation == JOB:
            more["smokeTest"] = "training"
        given = (fact.removeprefix("set_").partition("=") for fact in self.facts if fact.startswith("set_"))
        values = {name: value for name, _, value in given}
        if values:
            settings = {name: values[name.lower()] for name in KEYS if name.lower() in values}
            modes = {"enableTraining": True, **(_INFERENCE if {*settings} & _OF_INFERENCE else {})}
            more["extension"] = {"manage": "update", "configurationSettings": {**modes, **settings}}
        return self.place.attach_body(**more)


def ways() -> Iterator[Way]:
    """A way for every entry that Azure's words lead to, and for the generic one of every situation.

    Those that take more than Azure's words have ways of their own.
    """
    number = iter(range(1, 1000))
    generic = {entry.key: situation for situation, entry in GENERIC.items()}
    elsewhere = {*UNMET, *(own.key for own in OWN_WAYS)}
    for entry in ENTRIES:
        if entry.key in elsewhere or not (entry.samples or entry.key in generic):
            continue
        situation = generic.get(entry.key) or _situation(entry)
        unheard = UNHEARD_REPORT if situation == HEALTH else UNHEARD
        sample = entry.samples[0] if entry.samples else unheard
        yield Way(entry, situation, sample, next(number), entry.transient, frozenset(sample.facts))


def _situation(entry: Entry) -> str:
    # What the health check says is said in the words of a failed installation, too.
    order = (ATTACH, EXTENSION, JOB, DETACH, REQUEST, HEALTH)
    return next(situation for situation in order if situation in entry.situations)


def prepare(stack: Stack, way: Way) -> None:
    """Put the place there, and tell Azure what to say."""
    place, name = way.place, way.place.compute_name
    seed = worlds.additions(name)
    user = worlds.identity_id(name)
    workspace: dict[str, Any] = {"id": place.workspace_id, "location": worlds.LOCATION}
    if "system_assigned_workspace" not in way.facts:
        workspace["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {user: {}}}
    stack.azure.seed({**seed, "workspaces": [workspace]})
    if "identity" in workspace:
        found = stack.azure.resource(place.workspace_id)
        assert found is not None
        (identity,) = found["body"]["identity"]["userAssignedIdentities"].values()
        given = [{"role": r, "scope": place.cluster_id, "principalId": identity["principalId"]} for r in _ROLES]
        stack.azure.seed({"roleAssignments": given})
    _doubt(stack, way)
    said = {"code": way.sample.code or "BadRequest", "message": way.sample.message}
    match way.situation:
        case "attach":
            install_extension(stack, place)
            _script(stack, "compute.attach", place.compute_id, said)
        case "extension":
            _script(stack, "extension.create", place.cluster_id, said)
        case "health":
            control = stack.azure.kubernetes(place.cluster_id)
            control.break_component("aml-operator")
            report = {"code": said["code"], "name": said["message"]}
            control.change(health={"reports-test": json.dumps([report])})
        case "job":
            put_in_place(stack, place)
            stuck = way.sample.code == "Queued"
            more = {"outcome": "stuck"} if stuck else {"outcome": "fail", **said}
            stack.azure.script_operation(kind="job.run", resource=f"^{place.workspace_id}/", every=True, **more)
        case "detach":
            put_in_place(stack, place)
            _script(stack, "compute.detach", place.compute_id, said)
        case _:
            install_extension(stack, place)
            if way.sample.status == 200:  # Told inside an operation that Azure had accepted.
                _script(stack, "compute.attach", place.compute_id, said)
                return
            how: dict[str, Any] = {"status": way.sample.status, "body": {"error": said}}
            if way.sample.status == 0:
                how = {"action": "reset"}
            stack.azure.add_fault(kind="arm", method="PUT", path=f"^{place.compute_id}(\\?|$)", every=True, **how)


def _doubt(stack: Stack, way: Way) -> None:
    """Have preflight not see right what the entry blames: it is not chosen otherwise."""
    if "workspaceRoles" in way.entry.ruled_out_by:
        path = f"^{way.place.cluster_id}/providers/Microsoft.Authorization/roleAssignments"
        stack.azure.add_fault(kind="arm", method="GET", path=path, every=True, status=403)
    if "authorizedIpRanges" in way.entry.ruled_out_by:
        ranges = {"apiServerAccessProfile": {"authorizedIPRanges": ["203.0.113.0/24"]}}
        stack.azure.change(way.place.cluster_id, {"properties": ranges})


def _script(stack: Stack, kind: str, resource: str, said: dict[str, str]) -> None:
    stack.azure.script_operation(
        kind=kind, resource=f"^{resource}($|/)", every=True, outcome="fail", durationSeconds=5, **said
    )
