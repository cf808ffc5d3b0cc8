"""The kinds of objects that are read and written, as lightkube has them; imported when they are first used."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from threading import Lock
from typing import Any

from domain.cluster import instance_types
from domain.cluster.legacy_objects import LEGACY_OBJECTS, LegacyObject
from domain.workloads.cluster_objects import AML_JOB, ONLINE_ENDPOINT

_preparing = Lock()


def prepare_decoding() -> None:
    """Decode each kind once before threads do: msgspec 0.22 crashes when two of them first meet a type at once."""
    with _preparing:
        decode_once()


@lru_cache(maxsize=1)
def decode_once() -> None:
    """The decoding itself: every kind that a gateway uses."""
    import msgspec
    from lightkube.core.decoders import decode_list, decode_object, decode_status
    from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
    from lightkube.resources.authorization_v1 import SelfSubjectAccessReview
    from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Service

    decode_status(b"{}")
    kinds = (DaemonSet, Deployment, StatefulSet, ConfigMap, Namespace, Pod, Service, SelfSubjectAccessReview)
    for kind in (*kinds, *map(kind_of, LEGACY_OBJECTS)):
        decode_list(b'{"items":[]}', kind)
        with suppress(msgspec.ValidationError):  # Some require a spec; the type is known nevertheless.
            decode_object(b"{}", kind)
    for kind in (instance_type(), *map(work_kind, (AML_JOB, ONLINE_ENDPOINT))):
        decode_list(b'{"items":[]}', kind)


@lru_cache(maxsize=1)
def instance_type() -> Any:
    """The kind of instance types."""
    from lightkube.generic_resource import create_global_resource

    it = instance_types
    return create_global_resource(it.GROUP, it.VERSION, it.KIND, it.PLURAL)


@lru_cache
def work_kind(kind: str) -> Any:
    """AmlJob or OnlineEndpoint, of the version that their group's documented kind has."""
    from lightkube.generic_resource import create_namespaced_resource

    return create_namespaced_resource(instance_types.GROUP, instance_types.VERSION, kind, f"{kind.lower()}s")


def work_resource(kind: str) -> str:
    """How kubectl is asked for AmlJobs or OnlineEndpoints."""
    return f"{kind.lower()}s.{instance_types.GROUP}"


def kind_of(wanted: LegacyObject) -> Any:
    """The class for a leftover's kind."""
    from lightkube.resources import apps_v1, core_v1, rbac_authorization_v1

    module = {"": core_v1, "apps": apps_v1}.get(wanted.group, rbac_authorization_v1)
    return getattr(module, wanted.kind)
