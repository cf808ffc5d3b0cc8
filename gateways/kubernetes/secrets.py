"""Secrets of a cluster: read and written in one go, so that what they hold is nowhere else. Raises KubernetesError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.compute.attachment import KEPT_TLS_SECRET, LEGACY_TLS_SECRET
from domain.extension.wanted import RELEASE_NAMESPACE
from domain.redaction import learn
from gateways.kubernetes.api import Api

_LEGACY_NAMESPACE = "default"
# What v1's secret has and the extension reads (vendor's pages on TLS of both).
_KEYS = ("cert.pem", "key.pem")


def has_legacy_tls(api: Api) -> bool:
    """Whether v1's secret exists."""
    return _read(api, LEGACY_TLS_SECRET, _LEGACY_NAMESPACE) is not None


def holds_legacy_tls(api: Api) -> bool:
    """Whether v1's secret has a certificate and a key."""
    return len(_data(_read(api, LEGACY_TLS_SECRET, _LEGACY_NAMESPACE))) == len(_KEYS)


def kept_tls(api: Api) -> dict[str, str] | None:
    """The labels of our own copy; None when there is none."""
    found = _read(api, KEPT_TLS_SECRET, RELEASE_NAMESPACE)
    return None if found is None else dict(found.metadata.labels or {})


def is_a_copy(api: Api) -> bool:
    """Whether our own secret holds what v1's does."""
    ours, theirs = _read(api, KEPT_TLS_SECRET, RELEASE_NAMESPACE), _read(api, LEGACY_TLS_SECRET, _LEGACY_NAMESPACE)
    return ours is not None and theirs is not None and _data(ours) == _data(theirs)


def copy_tls(api: Api, labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """Make (or renew) our own copy; False when v1's holds no certificate and key."""
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.core_v1 import Secret

    data = _data(_read(api, LEGACY_TLS_SECRET, _LEGACY_NAMESPACE))
    if len(data) < len(_KEYS):
        return False
    for held in data.values():
        learn(held)
    present = _read(api, KEPT_TLS_SECRET, RELEASE_NAMESPACE)
    metadata = ObjectMeta(
        name=KEPT_TLS_SECRET, namespace=RELEASE_NAMESPACE, labels=dict(labels), annotations=dict(annotations)
    )
    if present is not None:
        metadata.resourceVersion = present.metadata.resourceVersion
    api.put(Secret(metadata=metadata, type="Opaque", data=data), new=present is None)
    return True


def _read(api: Api, name: str, namespace: str) -> Any:
    from lightkube.resources.core_v1 import Secret

    return api.find(Secret, name, namespace)


def _data(secret: Any) -> dict[str, str]:
    held = (secret.data if secret is not None else None) or {}
    return {name: str(held[name]) for name in _KEYS if held.get(name)}
