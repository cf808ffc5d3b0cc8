"""Clusters that were known, and that the lists of their subscription lack: what a lost event of a deletion leads to.

A list that lacks a cluster proves nothing: who may not see it gets the same one. So Azure is asked for the cluster
itself, and only where it answers that no such resource exists the look is begun that an event of the deletion begins.
That look decides (activities/cluster/look_at_cluster.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from activities.cluster.look_at_cluster import says_gone
from domain.arm_ids import CONNECTED_CLUSTER, MANAGED_CLUSTER, ArmId, parse_arm_id
from domain.requests.wishes import Wishes
from gateways.azure import arm
from gateways.azure.arm import ArmError
from gateways.storage import cluster_events, cluster_wishes
from gateways.storage.cluster_events import Reaction, ReactionContested

logger = logging.getLogger(__name__)

# Of one list. Azure takes 5,000 clusters of a kind in a subscription; what runs remember of it fits into a row.
MOST_SEEN = 20_000


class Listing:
    """What is known of the clusters of one list before it is read, and which of them its pages have shown.

    ``seen`` are those that were shown in earlier runs; None: that is not known, and nothing is said to be missing.
    """

    def __init__(self, place: str, wishes: Mapping[str, Wishes], seen: Iterable[str] | None) -> None:
        self.place = place
        self._wishes = wishes
        self._listed = set(cluster_wishes.listed(place))
        self._seen = None if seen is None else set(seen)

    @property
    def seen(self) -> tuple[str, ...] | None:
        """What the next run is to know, should this one end before the list does."""
        if self._seen is None or len(self._seen) > MOST_SEEN:
            return None
        return tuple(sorted(self._seen))

    def show(self, clusters: Iterable[str]) -> None:
        """One more page, by the keys of its clusters: those that no list has shown before are known from now on.

        Raises azure.core.exceptions.AzureError.
        """
        shown = set(clusters)
        cluster_wishes.put_listed(self.place, shown - self._listed)
        self._listed |= shown
        if self._seen is not None:
            self._seen |= {cluster_wishes.short_key(each) for each in shown}

    def break_off(self) -> None:
        """A page could not be read: which clusters the list lacks is unknown."""
        self._seen = None

    def missing(self, begins: Callable[[Wishes], bool], in_time: Callable[[], bool]) -> Iterator[Reaction]:
        """Now that the list is read to its end: the clusters that Azure says do not exist, noted as deleted.

        ``begins`` says whether a look may be begun at a cluster of which a look has put something down. Raises
        azure.core.exceptions.AzureError.
        """
        if self._seen is None:
            return
        asked_for = {each.cluster_id for each in self._wishes.values() if each.wishes and _is_of(each, self.place)}
        for cluster in sorted(self._listed | asked_for):
            if not in_time():
                return
            known = self._wishes.get(cluster)
            if cluster_wishes.short_key(cluster) in self._seen or not (known is None or begins(known)):
                continue
            try:
                yield from _note_if_gone(parse_arm_id(cluster, CONNECTED_CLUSTER, MANAGED_CLUSTER))
            except (ValueError, ReactionContested) as error:
                logger.warning("event: a cluster that the list %s lacks is passed over: %.300s", self.place, error)


def _is_of(known: Wishes, place: str) -> bool:
    try:
        return cluster_wishes.place_of(parse_arm_id(known.cluster_id)).lower() == place.lower()
    except ValueError:
        return False


def _note_if_gone(cluster: ArmId) -> Iterator[Reaction]:
    before = cluster_events.read(cluster.key)
    if before is not None and before.pending:
        return
    try:
        arm.get(cluster.path, arm.cluster_api(cluster))
    except ArmError as error:
        if not says_gone(error):
            logger.info("event: the lists lack cluster %s, and Azure answers %s", cluster, error)
            return
        logger.info("event: the lists lack cluster %s, and Azure says that it does not exist", cluster)
        yield cluster_events.note(cluster.key, deleted=True)
