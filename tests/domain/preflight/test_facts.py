"""What was read and what was not: a fact that is not known never passes for one that is."""

from __future__ import annotations

import pytest

from domain.preflight.facts import CannotTell, Facts, Unread, known
from tests.domain.preflight.clusters import ARC_ID, CLUSTER_ID, WORKSPACE_ID, cluster, facts

ASKED = Facts(request={}, workspace_id=WORKSPACE_ID, cluster_id=CLUSTER_ID, compute_name="gpu")


def test_what_was_not_read_says_what_and_why() -> None:
    with pytest.raises(CannotTell, match="the list of machine sizes could not be read: 503 down"):
        known(Unread("503 down"), "the list of machine sizes")


@pytest.mark.parametrize("fact", [{}, (), None, "", 0])
def test_an_empty_fact_is_known(fact: object) -> None:
    assert known(fact, "it") is fact


def test_nothing_is_known_that_was_not_asked_for() -> None:
    """But the secrets and the caller: a request that names none needs no look."""
    read = {name for name, value in vars(ASKED).items() if not isinstance(value, Unread)}
    assert read == {"request", "workspace_id", "cluster_id", "compute_name", "words", "reattach", "secrets", "caller"}


def test_properties_of_a_cluster_that_was_not_read_are_unknown() -> None:
    with pytest.raises(CannotTell, match="the cluster could not be read"):
        _ = ASKED.properties
    assert facts(cluster={"properties": None}).properties == {}
    assert facts(cluster=cluster(nodes=1)).properties["nodes"] == 1


def test_which_cluster_is_connected_is_told_by_its_id() -> None:
    assert facts(cluster_id=ARC_ID).connected
    assert not facts().connected


def test_a_cluster_is_for_production_unless_the_request_says_otherwise() -> None:
    assert facts().purpose == "production"
    assert facts(request={"clusterPurpose": None}).purpose == "production"
    assert facts(request={"clusterPurpose": "devTest"}).purpose == "devTest"
