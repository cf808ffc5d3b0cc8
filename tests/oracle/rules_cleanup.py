"""Clean-up: what the app did not make stays, what it made goes when that is asked for and nothing relies on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from tests.oracle.attachments import EXTENSION, ROLES, TYPES, Attachment
from tests.oracle.inventory import Inventories
from tests.oracle.player import Story
from tests.oracle.reading import SLACK, deletes_of, moment, of_app, time_of

_NAMED = {ROLES: r"roleassignments", TYPES: r"instance ?types", EXTENSION: r"extension"}


def others_stay(story: Story) -> Iterator[str]:
    """What somebody else made is there as it was."""
    stock = story.stock
    if stock is None:
        return
    for role in stock.asked.roles.keys() - stock.made_roles() - stock.ended.roles.keys():
        yield f"a role of somebody else's is gone: {role}"
    for name in stock.asked.types.keys() - stock.made_types():
        if stock.ended.types.get(name) != stock.asked.types[name]:
            yield f"an instance type of somebody else's is gone or changed: {name}"
    if stock.asked.extension and not stock.made_extension() and stock.ended.extension != stock.asked.extension:
        yield "an extension of somebody else's is gone"


def own_stays_unless_asked(story: Story) -> Iterator[str]:
    """What the app made stays when clean-up is not asked for, nothing was detached, or something relies on it."""
    stock, attachment = story.stock, story.world.attachment
    if stock is None or attachment is None:
        return
    taken = [time_of(delete) for delete in deletes_of(story) if delete["workStatus"] in (200, 202)]
    for option, gone in _gone(stock).items():
        for name in sorted(gone):
            of_compute = option == ROLES and not _on_cluster(story, name)
            if not attachment.asks(option):
                yield f"{name} is gone, and nobody asked for that"
            elif attachment.must_stay(option, of_compute=of_compute):
                yield f"{name} is gone although something relies on it: {attachment.neighbour}"
            elif not taken and story.world.attached:
                yield f"{name} is gone, and nothing was detached"
    for request in of_app(story, "DELETE", r"/roleAssignments/|/extensions/"):
        if story.world.attached and not any(when < time_of(request) for when in taken):
            yield f"DELETE {request['path']} before the compute was detached"


def own_goes_when_asked(story: Story) -> Iterator[str]:
    """What the app made is gone at a good end where nothing speaks against it; what stays although asked is told."""
    stock, attachment = story.stock, story.world.attachment
    if stock is None or attachment is None or story.operation["status"] != "Succeeded" or not deletes_of(story):
        return
    detached, ended = time_of(deletes_of(story)[-1]), moment(story.operation["finishedDateTime"])
    findings = [f["message"] for f in story.operation["findings"] if f["check"] == "leftBehind"]
    for option, left in _left(stock).items():
        if not left or not attachment.asks(option):
            continue
        if not any(re.search(_NAMED[option], message, re.I) for message in findings):
            yield f"{sorted(left)} was left, and no finding says so"
        if attachment.must_go(option) and _in_reach(story, option, detached, ended):
            yield f"{sorted(left)} was left although nothing speaks against removing it: {findings}"


def may_clean_up(attachment: Attachment | None, method: str, path: str) -> bool:
    """Whether a request is one that clean-up may send; whose thing it is about, the end tells."""
    if attachment is None or method != "DELETE":
        return False
    kinds = {ROLES: r"/roleAssignments/[^/]+$", TYPES: r"/instancetypes/[^/]+$", EXTENSION: r"/extensions/azureml$"}
    return any(attachment.asks(option) and re.search(kind, path, re.I) for option, kind in kinds.items())


def _made(stock: Inventories) -> dict[str, set[str]]:
    extension = {EXTENSION} if stock.made_extension() else set()
    return {ROLES: stock.made_roles(), TYPES: stock.made_types(), EXTENSION: extension}


def _left(stock: Inventories) -> dict[str, set[str]]:
    ended = stock.ended
    there = {ROLES: set(ended.roles), TYPES: set(ended.types), EXTENSION: {EXTENSION} if ended.extension else set()}
    return {option: made & there[option] for option, made in _made(stock).items()}


def _gone(stock: Inventories) -> dict[str, set[str]]:
    left = _left(stock)
    return {option: made - left[option] for option, made in _made(stock).items()}


def _on_cluster(story: Story, role: str) -> bool:
    return role.startswith(story.world.cluster.lower())


def _in_reach(story: Story, option: str, detached: datetime, ended: datetime) -> bool:
    return option != TYPES or story.cluster_seen.reachable(detached - SLACK, ended + SLACK)
