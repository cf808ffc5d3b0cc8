"""The relay of an Azure Arc cluster: names and bodies as ``az k8s-extension create`` makes them.

Azure ML reaches an Arc cluster through an Azure Relay hybrid connection only. Source: azure-cli-extensions,
``partner_extensions/AzureMLKubernetes.py`` (``_get_relay_connection_str``, ``_get_valid_name``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.arm_ids import RELAY, ArmId, parse_arm_id, parse_resource

HYBRID_CONNECTION = f"{RELAY}/hybridConnections"
RELAY_RULE = f"{HYBRID_CONNECTION}/authorizationRules"
API_VERSION = "2024-01-01"
CONNECTION_ID_SETTING, CONNECTION_NAME_SETTING = (
    "relayserver.hybridConnectionResourceID",
    "relayserver.hybridConnectionName",
)
CONNECTION_STRING_SETTING = "relayserver.relayConnectionString"
# The name by which a request brings a connection string of its own.
OWN_CONNECTION_STRING = "relayServerConnectionString"
RULE = "azureml_rw"
RIGHTS = ("Manage", "Send", "Listen")
TAGS = {"created_by": "Azure Arc-enabled ML"}
_LONGEST, _SUFFIX = 50, 6


@dataclass(frozen=True)
class Relay:
    """Where a cluster's hybrid connection is."""

    namespace: str
    connection: str

    @property
    def rule(self) -> str:
        """ARM id of the authorisation rule whose keys the extension works with."""
        return f"{self.connection}/authorizationRules/{RULE}"

    @property
    def name(self) -> str:
        """Name of the hybrid connection."""
        return self.connection.rsplit("/", 1)[-1]


def relay_of(cluster: ArmId) -> Relay:
    """The relay that the CLI makes for a cluster, and finds again by its name."""
    name = _name(f"{cluster.name}-{cluster.subscription}-{cluster.resource_group}-relay")
    namespace = (
        f"/subscriptions/{cluster.subscription}/resourceGroups/{cluster.resource_group}/providers/{RELAY}/{name}"
    )
    return Relay(namespace, f"{namespace}/hybridConnections/{cluster.name}")


# Whether the policy lets a relay namespace (its id) be bound that is not the cluster's own.
RelayAllowed = Callable[[ArmId], bool]


def no_other(relay: ArmId) -> bool:
    """The answer where no policy names relays: only the cluster's own."""
    return False


def relay_in(settings: Mapping[str, Any]) -> Relay | None:
    """The relay that an extension's settings name; None when they name none.

    Raises ValueError when what they name is no hybrid connection.
    """
    text = settings.get(CONNECTION_ID_SETTING)
    if text is None or text == "":
        return None
    connection = str(parse_resource(str(text), HYBRID_CONNECTION))
    return Relay(connection.rpartition("/hybridConnections/")[0], connection)


def is_own(relay: Relay, cluster: ArmId) -> bool:
    """Whether a relay is the cluster's: in its subscription and group, with the names that the CLI gives.

    The digits at the end of a long name follow from how somebody spelt the cluster's id: any such digits count.
    """
    given, own = parse_arm_id(relay.namespace, RELAY), parse_arm_id(relay_of(cluster).namespace, RELAY)
    beside = given.subscription == own.subscription and given.resource_group.lower() == own.resource_group.lower()
    kept = own.name[:-_SUFFIX].lower() if len(own.name) == _LONGEST else own.name.lower()
    digits = given.name.lower().removeprefix(kept)
    same = digits == "" if kept == own.name.lower() else re.fullmatch(f"[0-9a-f]{{{_SUFFIX}}}", digits) is not None
    return beside and given.name.lower().startswith(kept) and same and relay.name.lower() == cluster.name.lower()


def may_use(relay: Relay, cluster: ArmId, allowed: RelayAllowed = no_other) -> bool:
    """Whether Moor reads a relay's keys, and grants roles on it, for a cluster: its own, or one of the policy's."""
    return is_own(relay, cluster) or allowed(parse_arm_id(relay.namespace, RELAY))


def namespace_body(location: str) -> dict[str, Any]:
    """The body of a relay namespace."""
    return {"location": location, "tags": dict(TAGS)}


def connection_body() -> dict[str, Any]:
    """The body of a hybrid connection."""
    return {"properties": {"requiresClientAuthorization": True}}


def rule_body() -> dict[str, Any]:
    """The body of the authorisation rule."""
    return {"properties": {"rights": list(RIGHTS)}}


def relay_settings(relay: Relay) -> dict[str, str]:
    """The extension's plain settings about its relay."""
    return {CONNECTION_ID_SETTING: relay.connection, CONNECTION_NAME_SETTING: relay.name}


def _name(text: str) -> str:
    plain = "".join(c for c in text if c.isalnum())
    if len(plain) <= _LONGEST:
        return plain
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return plain[: _LONGEST - _SUFFIX] + digest[:_SUFFIX]
