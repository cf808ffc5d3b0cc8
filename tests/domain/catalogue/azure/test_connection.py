"""Azure ML and the API server: whose words these are."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import connection
from domain.catalogue.entry import passed
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import resolved

REACHABLE = (passed("clusterPower"), passed("authorizedIpRanges"))


@pytest.mark.parametrize(
    ("code", "message", "facts", "expected"),
    [
        ("GenericClusterError", "the cluster is not running.", (), "ClusterStopped"),
        ("GenericClusterError", "i/o timeout", (), "ClusterConnectionFailed"),
        ("GenericClusterError", "i/o timeout", REACHABLE, "ClusterConnectionFailed"),
        ("Other", "i/o timeout", (), None),
        ("ClusterNotReachable", "", REACHABLE, "ClusterNotReachable"),
    ],
)
def test_words_are_explained(code: str, message: str, facts: tuple[str, ...], expected: str | None) -> None:
    assert resolved(connection.ENTRIES, "attach", AzureAnswer(code, message), *facts) == expected
