"""Moor's copy of the certificate that Azure ML v1 left in a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gateways.kubernetes import secrets
from gateways.kubernetes.api import KubernetesError

V1, OURS = ("default", "azuremlfessl"), ("azureml", "moor-azuremlfessl")
WHOLE = {"cert.pem": "YQ==", "key.pem": "Yg=="}
MARKS = {"app.kubernetes.io/managed-by": "moor"}, {"note": "copied"}


def secret(data: dict[str, str] | None, labels: dict[str, str] | None = None, version: str = "7") -> Any:
    return SimpleNamespace(data=data, metadata=SimpleNamespace(labels=labels, resourceVersion=version))


@dataclass
class Cluster:
    """The API of a cluster with these secrets."""

    secrets: dict[tuple[str, str], Any]
    written: list[tuple[Any, bool]] = field(default_factory=list)

    def find(self, kind: Any, name: str, namespace: str) -> Any:
        found = self.secrets.get((namespace, name))
        if isinstance(found, Exception):
            raise found
        return found

    def put(self, wanted: Any, *, new: bool) -> None:
        self.written.append((wanted, new))


def cluster(v1: Any = None, ours: Any = None) -> Any:
    return Cluster({V1: v1, OURS: ours})


@pytest.mark.parametrize(
    ("v1", "exists", "holds"),
    [
        (None, False, False),
        (secret(None), True, False),
        (secret({"cert.pem": "YQ=="}), True, False),
        (secret({"cert.pem": "YQ==", "key.pem": ""}), True, False),
        (secret({**WHOLE, "other": "Yw=="}), True, True),
    ],
)
def test_v1_has_left_a_certificate_only_with_its_key(v1: Any, exists: bool, holds: bool) -> None:
    assert secrets.has_legacy_tls(cluster(v1)) is exists
    assert secrets.holds_legacy_tls(cluster(v1)) is holds


def test_no_copy_is_something_else_than_one_without_labels() -> None:
    assert secrets.kept_tls(cluster()) is None
    assert secrets.kept_tls(cluster(ours=secret(WHOLE))) == {}
    assert secrets.kept_tls(cluster(ours=secret(WHOLE, {"a": "b"}))) == {"a": "b"}


@pytest.mark.parametrize(
    ("v1", "ours", "same"),
    [
        (secret({**WHOLE, "other": "Yw=="}), secret(WHOLE), True),
        (secret(WHOLE), secret({**WHOLE, "key.pem": "eA=="}), False),
        (secret(WHOLE), None, False),
        (None, secret(WHOLE), False),
        (None, None, False),
    ],
)
def test_a_copy_holds_what_the_extension_reads_of_v1s(v1: Any, ours: Any, same: bool) -> None:
    assert secrets.is_a_copy(cluster(v1, ours)) is same


def test_a_copy_is_made_beside_the_extension_with_certificate_and_key_alone() -> None:
    api = cluster(secret({**WHOLE, "other": "Yw=="}))
    assert secrets.copy_tls(api, *MARKS)
    ((made, new),) = api.written
    assert new
    assert ((made.metadata.namespace, made.metadata.name), made.type, made.data) == (OURS, "Opaque", WHOLE)
    assert (made.metadata.labels, made.metadata.annotations) == MARKS
    assert made.metadata.resourceVersion is None


def test_a_copy_that_exists_is_renewed_in_the_version_that_was_seen() -> None:
    api = cluster(secret(WHOLE), secret({}, version="42"))
    assert secrets.copy_tls(api, *MARKS)
    ((made, new),) = api.written
    assert (new, made.metadata.resourceVersion) == (False, "42")


@pytest.mark.parametrize("v1", [None, secret({"cert.pem": "YQ=="})])
def test_half_a_certificate_is_not_copied(v1: Any) -> None:
    api = cluster(v1, secret(WHOLE))
    assert not secrets.copy_tls(api, *MARKS)
    assert api.written == []


def test_a_secret_that_may_not_be_read_is_no_missing_one() -> None:
    with pytest.raises(KubernetesError):
        secrets.has_legacy_tls(cluster(KubernetesError(403, "Forbidden", "no")))
