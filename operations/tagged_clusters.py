"""Clusters that call for something, found without events: by lists of the subscriptions that the policy names.

A run reads some pages and keeps where it has ended, so that lists of any length are read over runs. A cluster is looked
at when its tags are not those of the last look, when a look is due, and when a list lacks it that has shown it before:
whatever else is listed costs its share of it.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from activities.cluster import tagged
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, ArmId, parse_arm_id, subscription_path
from domain.operation.codec import CodecError, decode, encode
from domain.requests import wishes
from domain.requests.parsing import request_to_json
from domain.requests.tags import request_of_tags
from domain.requests.wishes import Wishes
from domain.violations import Refused
from gateways import clock, policy
from gateways.azure import arm
from gateways.azure.arm import ArmError, Page
from gateways.policy import PolicyUnavailable
from gateways.storage import cluster_events, cluster_wishes, cursors
from gateways.storage.cluster_events import Reaction, ReactionContested
from operations.upkeep.vanished_clusters import Listing

logger = logging.getLogger(__name__)

DUTY = "list_clusters"
# Of a run: pages of lists, clusters that a look is begun at, seconds in real time after which no page is begun. Runs
# are five minutes apart: a hundred pages are some ten thousand clusters.
MOST_PAGES, MOST_LOOKS, MOST_SECONDS = 100, 200, 120.0
# Of one list. A longer one is read no further: it has no end, or leads in circles from run to run.
_MOST_OF_LIST = 10_000
_LONGEST_LINK = 16_000
_KINDS = (CONNECTED_CLUSTER, MANAGED_CLUSTER)


@dataclass(frozen=True)
class Cursor:
    """Where the next run continues: the list, the link of its next page, and how many pages of it were read.

    ``seen`` are the clusters on those pages (``upkeep/vanished_clusters``); None where that is not known.
    """

    place: str = ""
    link: str = ""
    pages: int = 0
    seen: tuple[str, ...] | None = None

    @classmethod
    def kept(cls) -> Cursor:
        """Where the run before has ended. Raises AzureError."""
        try:
            return decode(cls, json.loads(cursors.read(DUTY) or "{}"))
        except (CodecError, ValueError):
            return cls()

    def keep(self) -> None:
        """Have the next run continue here. Raises RecordTooLarge or AzureError."""
        cursors.write(DUTY, json.dumps(encode(self)))


def changed() -> Iterator[Reaction]:
    """The clusters that a look is to be started at; each is noted as one that an event was about.

    Raises SettingError, RecordTooLarge or azure.core.exceptions.AzureError.
    """
    left = MOST_LOOKS
    for reaction in _reactions():
        yield reaction
        left -= 1
        if left == 0:
            logger.warning("event: %d clusters are looked at; the next run continues", MOST_LOOKS)
            return


def _reactions() -> Iterator[Reaction]:
    try:
        subscriptions = policy.subscriptions_for_events()
    except PolicyUnavailable as error:
        logger.warning("event: clusters are not listed: %s", error)
        return
    if not subscriptions:
        return
    # What is due leaves some looks to what is listed, however much it is.
    yield from islice(_due(subscriptions), MOST_LOOKS * 3 // 4)
    places = sorted(f"{subscription}/{kind}" for subscription in subscriptions for kind in _KINDS)
    yield from _listed(places)


def _due(subscriptions: Container[str]) -> Iterator[Reaction]:
    for known in cluster_wishes.due(clock.now()):
        try:
            if parse_arm_id(known.cluster_id).subscription in subscriptions:
                yield from _note(known.cluster_id)
        except (ValueError, ReactionContested) as error:
            logger.warning("event: a look that is due at %.300s is passed over: %s", known.cluster_id, error)


def _listed(places: list[str]) -> Iterator[Reaction]:
    """Read each list once, from where the run before has ended, as far as the bounds of a run allow."""
    cursor, until = Cursor.kept(), time.monotonic() + MOST_SECONDS
    first = next((n for n, place in enumerate(places) if place >= cursor.place), 0)
    if places[first] != cursor.place:
        cursor = Cursor(places[first])
    pages = 0
    for place in [*places[first:], *places[:first]]:
        cursor = cursor if cursor.place == place else Cursor(place)
        known: dict[str, Wishes] | None = None
        listing: Listing | None = None
        links = {cursor.link}
        while True:
            if pages == MOST_PAGES or time.monotonic() > until:
                replace(cursor, seen=listing.seen if listing is not None else cursor.seen).keep()
                return
            # Before the page is judged: one on which a run ends, whatever it ends of, is not read for good.
            page, pages = _page(cursor), pages + 1
            link = _next(page, cursor, links)
            after = Cursor(place, link, cursor.pages + 1) if link else Cursor(_after(place, places))
            if known is None or listing is None:
                known = _known(place.partition("/")[0])
                listing = Listing(place, known, cursor.seen if cursor.link else ())
            if page is not None:
                listing.show(_keys_of(page, place))
                yield from _of_page(page, place, known)
            if page is None or (page.link and not link):
                listing.break_off()
            after.keep()
            cursor = after
            if not link:
                yield from listing.missing(lambda each: not _waits(each, clock.now()), lambda: time.monotonic() < until)
                break


def _page(cursor: Cursor) -> Page | None:
    """The page that a cursor names; None when it cannot be read: the list is given up until its next turn."""
    subscription, _, kind = cursor.place.partition("/")
    api = arm.CONNECTED_CLUSTERS_API if kind == CONNECTED_CLUSTER else arm.CLUSTERS_API
    try:
        return arm.page(subscription_path(subscription).listing(kind), api, None, cursor.link or None, whole=False)
    except ArmError as error:
        logger.warning("event: the %s of subscription %s cannot be listed: %s", kind, subscription, error)
        return None


def _next(page: Page | None, cursor: Cursor, links: set[str]) -> str:
    """The link of the page after this one; empty at the end of the list, and where it leads nowhere."""
    link = page.link if page is not None else None
    if link is None:
        return ""
    if link in links or len(link) > _LONGEST_LINK or cursor.pages + 1 >= _MOST_OF_LIST:
        logger.warning("event: the list %s leads in circles, or has no end: it is read no further", cursor.place)
        return ""
    links.add(link)
    return link


def _after(place: str, places: list[str]) -> str:
    return places[(places.index(place) + 1) % len(places)]


def _known(subscription: str) -> dict[str, Wishes]:
    """What the last looks have put down, by cluster."""
    return {known.cluster_id: known for known in cluster_wishes.of_subscription(subscription)}


def _of_page(page: Page, place: str, known: Mapping[str, Wishes]) -> Iterator[Reaction]:
    subscription, _, kind = place.partition("/")
    for item in page.items:
        try:
            cluster = _cluster_of(item, kind, subscription)
            if calls_for_a_look(cluster, item, known.get(cluster.key), clock.now()):
                yield from _note(cluster.key)
        except (ValueError, ReactionContested) as error:
            logger.warning("event: an entry of the list %s is passed over: %.300s", place, error)
        except PolicyUnavailable as error:
            logger.warning("event: an entry of the list %s waits: %s", place, error)


def _keys_of(page: Page, place: str) -> list[str]:
    """The clusters on a page; what is none is passed over, and said of, when the page is judged."""
    subscription, _, kind = place.partition("/")
    keys = []
    for item in page.items:
        with suppress(ValueError):
            keys.append(_cluster_of(item, kind, subscription).key)
    return keys


def _cluster_of(item: Any, kind: str, subscription: str) -> ArmId:
    """The cluster that a list's entry is about. Raises ValueError."""
    text = item.get("id") if isinstance(item, Mapping) else None
    if not isinstance(text, str):
        raise ValueError("it has no id")
    cluster = parse_arm_id(text, kind)
    if cluster.subscription != subscription:
        raise ValueError("it is of another subscription")
    return cluster


def calls_for_a_look(cluster_id: ArmId, cluster: Mapping[str, Any], known: Wishes | None, now: datetime) -> bool:
    """Whether a cluster, as a list has it, calls for a look by tags or state that the last look has not seen.

    Raises PolicyUnavailable or SettingError.
    """
    tags = wishes.tags_of(cluster)
    text = wishes.text_of(tags)
    stand = [wish for wish in known.wishes if wish.missing is None] if known is not None else []
    if known is not None and _waits(known, now):
        return False
    # Without tags they are equal, too, after a look that came to no end, or found a cluster that it could not attach.
    if text == (known.tags if known is not None else "") and (text or not stand):
        return False
    try:
        wanted = request_of_tags(cluster_id, tags)
    except Refused:
        wanted = None
    if wanted is None:
        return bool(stand)
    if any(wish.key != wishes.key_of(request_to_json(wanted)) for wish in stand):
        return True
    return tagged.readiness(cluster) == tagged.READY and tagged.refusal(wanted) is None


def _waits(known: Wishes, now: datetime) -> bool:
    """Whether the last look came to no end, and the next one waits for its time."""
    return not known.tags and known.due is not None and known.due > now


def _note(cluster_id: str) -> Iterator[Reaction]:
    """Note that a look is due at a cluster; nothing where one is due, or under way, already."""
    before = cluster_events.read(cluster_id)
    if before is None or not before.pending:
        yield cluster_events.note(cluster_id, deleted=False)
