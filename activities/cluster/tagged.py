"""What the tags of a cluster call for: an attach of what they ask for, a detach of what they ask for no longer.

Tags are a level, not an edge: each look compares what they ask for with what is attached, whatever made it look. What a
person has detached stays so while the tag stays (domain/requests/wishes.py).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.access.decisions import refusals
from domain.arm_ids import ArmId, compute_id, parse_arm_id, same_resource
from domain.operation.record import CANCELED, FAILED, Operation
from domain.preflight.cluster import is_busy, power_of
from domain.requests import wishes
from domain.requests.models import AttachRequest, Request
from domain.requests.parsing import parse_request, request_to_json
from domain.requests.tags import WORKSPACE_TAG, request_of_tags
from domain.requests.wishes import AUTOMATIC, UNDER_WAY, UNTAGGED_FOR, Wish, Wishes
from domain.violations import Refused
from gateways import clock, policy
from gateways.azure.computes import find_compute
from gateways.storage import cluster_wishes, record_list
from gateways.storage.record_list import Filter

logger = logging.getLogger(__name__)

SETTLING, READY, OFF = "settling", "ready", "off"
# Of a compute. What came before these says nothing about what it is now.
_OPERATIONS = 50


def states_of(cluster: Mapping[str, Any]) -> tuple[str, str, str]:
    """What Azure answers of a cluster: its provisioning state in lower case, its power, and whether it is connected.

    An AKS cluster runs or not; one of Azure Arc is connected or not.
    """
    found = cluster.get("properties")
    properties: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    connected = str(properties.get("connectivityStatus") or "Connected")
    return str(properties.get("provisioningState") or "").lower(), power_of(properties), connected


def readiness(cluster: Mapping[str, Any]) -> str:
    """Whether a cluster, as Azure answers it, is SETTLING, READY, or OFF: stopped, disconnected or failed."""
    state, power, connected = states_of(cluster)
    if is_busy(state) or connected.lower() == "connecting" or power.lower() in ("starting", "stopping"):
        return SETTLING
    works = (state, power.lower(), connected.lower()) == ("succeeded", "running", "connected")
    return READY if works else OFF


def refusal(request: AttachRequest) -> str | None:
    """Why the policy does not give tags this; None when it does. Raises PolicyUnavailable or SettingError."""
    entry = policy.entry_for_events(request.workspaceId)
    if entry is None:
        return "asks for a workspace where the policy gives events nothing"
    against = refusals(entry, "attach", request_to_json(request), None)
    return f"asks for what the policy does not give: {against[0].message}" if against else None


def called_for(cluster_id: ArmId, cluster: Mapping[str, Any], *, ready: bool) -> list[dict[str, Any]]:
    """The requests that a cluster, as Azure answers it now, calls for by its tags; what the look saw is put down.

    A cluster that is not ``ready`` is attached nowhere. Raises ArmError, PolicyUnavailable, SettingError or AzureError.
    """
    now, tags = clock.now(), wishes.tags_of(cluster)
    before = cluster_wishes.read(cluster_id.key)
    wanted, why_not = None, None
    try:
        wanted = request_of_tags(cluster_id, tags)
        why_not = refusal(wanted) if wanted is not None else None
    except Refused as refused:
        why_not = f"has tags that make no attach request: {refused}"
    if why_not is not None:
        logger.warning("event: cluster %s %s", cluster_id, why_not)
    allowed = wanted is not None and why_not is None
    since = _since(cluster_id, wanted) if before is None and wanted is not None and allowed else None
    known = wishes.seen(before or Wishes(cluster_id.key), wanted, now, since or now, new=allowed)
    look = _Look(cluster_id, known, now)
    look.untag()
    if wanted is not None and allowed and ready:
        look.attach(wanted)
    tries = look.known.tries + 1 if look.began else 0 if look.due is None else look.known.tries
    # A look that attached nothing because it could not is taken again when the list of clusters shows that it can.
    told = wishes.text_of(tags) if wanted is None or (allowed and ready) else ""
    after = replace(look.known, tags=told, tries=tries, due=look.due)
    if before is not None or after.wishes:
        cluster_wishes.put(after)
    return look.requests


def put_off(cluster_id: ArmId) -> None:
    """Have a look that came to no end taken again after a pause. Raises AzureError."""
    known = cluster_wishes.read(cluster_id.key) or Wishes(cluster_id.key)
    cluster_wishes.put(known.put_off(clock.now()))


def is_gone(cluster_id: ArmId, *, detaching: bool) -> None:
    """Note that a cluster is deleted: its tags are gone with it. What is detached is looked at again after a pause.

    Raises AzureError.
    """
    cluster_wishes.forget_listed(cluster_id)
    known = cluster_wishes.read(cluster_id.key)
    if detaching:
        after = replace(known or Wishes(cluster_id.key), wishes=()).put_off(clock.now())
        cluster_wishes.put(after)
    elif known is not None:
        cluster_wishes.put(Wishes(cluster_id.key))


def was_stopped(request: Mapping[str, Any], since: datetime | None) -> bool:
    """Whether a person has stopped the detach of a compute that has been called for ``since`` then.

    Raises AzureError.
    """
    return _is_stopped(_operations(request["workspaceId"], request["computeName"]), since)


def _is_stopped(operations: Sequence[Operation], since: datetime | None) -> bool:
    """Whether the last thing begun is a detach that is cancelled, and not one that a person had begun before that."""
    if not operations or operations[0].kind != "detach" or operations[0].status != CANCELED:
        return False
    begun_later = since is not None and operations[0].created_time >= since
    return begun_later or operations[0].requested_by.source in AUTOMATIC


def asked(kind: str, request: Request) -> dict[str, Any]:
    """A request as start_operations takes it. With an id of its own it is accepted once, however often it is sent."""
    return {"id": str(uuid.uuid4()), "kind": kind, "request": request_to_json(request)}


class _Look:
    """One look: what it comes to, piece by piece."""

    def __init__(self, cluster_id: ArmId, known: Wishes, now: datetime) -> None:
        self.cluster_id, self.known, self.now = cluster_id, known, now
        self.requests: list[dict[str, Any]] = []
        self.due: datetime | None = None
        self.began = self.removing = False
        self._read: dict[tuple[str, str, str], tuple[Operation, ...]] = {}

    def untag(self) -> None:
        """Judge what the tags ask for no longer, and forget what they no longer ask for in earnest."""
        for wish in self.known.wishes:
            if wish.missing is None:
                continue
            detach = self._detach_of(wish)
            if wish.has_counted(self.now) and detach is None:
                kept = tuple(each for each in self.known.wishes if each.key != wish.key)
                self.known = replace(self.known, wishes=kept)
                continue
            self.removing = self.removing or detach is not None
            if not wish.has_counted(self.now):
                self._look_again(wish.missing + UNTAGGED_FOR)
            elif detach is not None:
                self._begin("detach", detach, wish)

    def attach(self, request: AttachRequest) -> None:
        """Judge what the tags ask for, once what they asked for before is removed."""
        wish = next(each for each in self.known.wishes if each.key == wishes.key_of(request_to_json(request)))
        compute = find_compute(compute_id(parse_arm_id(request.workspaceId), request.computeName))
        if compute is not None:
            # Attached, or taken by another cluster: an attach by hand says which.
            if _points_at(compute, self.cluster_id):
                self.known = wishes.with_wish(self.known, replace(wish, attached=True, declined=False))
                return
            if not self.removing:
                return
        if self.removing:
            self._look_again(self.now + UNTAGGED_FOR)
            return
        operations = self._operations(wish)
        if operations and not operations[0].final:
            self._look_again(self.now + UNDER_WAY)
            return
        if wish.declined or wishes.is_declined(wish, operations):
            logger.info("event: cluster %s keeps its tag; a person has detached %s", self.cluster_id, wish.compute_name)
            self.known = wishes.with_wish(self.known, replace(wish, declined=True))
            return
        self.known = wishes.with_wish(self.known, replace(wish, attached=False))
        self._begin("attach", request, wish)

    def _begin(self, kind: str, request: Request, wish: Wish) -> None:
        """Ask for an operation. One that has failed waits for its pause, unless an event makes the look."""
        newest = next(iter(self._operations(wish)), None)
        if newest is not None and not newest.final:
            self._look_again(self.now + UNDER_WAY)
            return
        failed = newest is not None and newest.kind == kind and newest.status == FAILED
        # The pause that the try before has set.
        until = newest.updated_time + wishes.pause(max(self.known.tries - 1, 0)) if failed and newest else self.now
        if until > self.now and self.known.is_due(self.now):
            self._look_again(until)
            return
        self.began = True
        self.requests.append(asked(kind, request))
        self._look_again(self.now + wishes.pause(self.known.tries))

    def _detach_of(self, wish: Wish) -> Request | None:
        """The detach of what a tag attached and asks for no longer; None where it is kept, or is not the tag's."""
        entry = policy.entry_for_events(wish.workspace_id)
        if entry is None or entry.onUntag.action != "detach":
            return None
        compute = find_compute(compute_id(parse_arm_id(wish.workspace_id), wish.compute_name))
        if compute is None or not _points_at(compute, self.cluster_id):
            return None
        body = {
            "workspaceId": wish.workspace_id,
            "computeName": wish.compute_name,
            "workloads": entry.onUntag.workloads.model_dump(mode="json"),
            "reason": f"the cluster no longer carries the tag {WORKSPACE_TAG} that asked for it",
        }
        operations = self._operations(wish)
        if _is_stopped(operations, wish.missing) or not wishes.attached_by_tag(wish, self.cluster_id.key, operations):
            return None
        request = parse_request("detach", body)
        against = refusals(entry, "detach", request_to_json(request), None)
        if against:
            logger.warning("event: %s stays: the policy refuses its detach: %s", wish.compute_name, against[0].message)
        return None if against else request

    def _operations(self, wish: Wish) -> tuple[Operation, ...]:
        """Those on its compute, newest first: read when they are asked for, and once in a look."""
        if wish.key not in self._read:
            self._read[wish.key] = _operations(wish.workspace_id, wish.compute_name)
        return self._read[wish.key]

    def _look_again(self, moment: datetime) -> None:
        self.due = min(self.due or moment, moment)


def _points_at(compute: Mapping[str, Any], cluster_id: ArmId) -> bool:
    properties = compute.get("properties")
    named = properties.get("resourceId") if isinstance(properties, Mapping) else None
    return same_resource(str(named or ""), str(cluster_id))


def _operations(workspace_id: str, compute_name: str) -> tuple[Operation, ...]:
    """The newest operations on a compute, newest first; plans change nothing."""
    wanted = Filter(workspace_id=workspace_id, compute_name=compute_name, visible=lambda each: not each.plan_only)
    return record_list.page(wanted, _OPERATIONS).operations


def _since(cluster_id: ArmId, wanted: AttachRequest) -> datetime | None:
    """When the tag, whose cluster no look has put down yet, last had the attachment made; releases up to 0.2.0 did."""
    for operation in _operations(wanted.workspaceId, wanted.computeName):
        ours = str(operation.cluster_id).lower() == cluster_id.key and operation.requested_by.source == "event"
        if operation.kind == "attach" and ours:
            return operation.created_time
    return None
