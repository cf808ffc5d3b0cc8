"""Reattach: what is to be attached, from the attachment as it is and the changes that a request names.

A compute cannot be changed in place (vendor's how-to, "Update the cluster"; troubleshooting guide): it is detached and
attached again with the same name and namespace. What a request leaves out stays as it is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.arm_ids import USER_IDENTITY, parse_arm_id, resource_at
from domain.cluster import instance_types
from domain.compute.resource import LEGACY_TYPE
from domain.extension import rules
from domain.extension.keys import CERTIFICATE, PRIVATE_KEY
from domain.extension.remembered import settings_to_keep
from domain.extension.wanted import (
    DEFAULT_SETTINGS,
    ENSURE,
    EXTENSION_NAME,
    RELEASE_TRAIN,
    REQUIRE,
    UPDATE,
    is_on,
)
from domain.extension.wire import protected_name

# What v1 keeps its router's certificate and key in (namespace default), and our own copy in the extension's namespace.
LEGACY_TLS_SECRET, KEPT_TLS_SECRET = "azuremlfessl", "moor-azuremlfessl"
_KEPT_AS_THEY_ARE = ("description", "tags", "identity", "defaultInstanceType")


@dataclass(frozen=True)
class Attachment:
    """What exists: compute and extension as Azure answers them, and whether v1's TLS secret is in the cluster.

    ``sent`` are the extension's protected settings as far as they are known: ids of Key Vault secrets by name.
    """

    compute: Mapping[str, Any]
    cluster_id: str
    extension: Mapping[str, Any] | None = None
    legacy_tls: bool = False
    sent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Merged:
    """``request`` can be sent as an attach as it stands; ``refused`` are the reasons why it cannot be kept to.

    ``kept_types`` are the compute's own instance types, in the words of Azure, when the request names none;
    ``left_out`` names settings of the extension that cannot be asked for again, or that may be secrets.
    """

    request: Mapping[str, Any]
    kept_types: Mapping[str, Any]
    refused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def merge(request: Mapping[str, Any], there: Attachment) -> Merged:
    """The attach request of a reattach: the attachment as it is, with the changes that an accepted request names."""
    properties = there.compute.get("properties") or {}
    inner = properties.get("properties") or {}
    refused: list[str] = []
    present = {
        "description": properties.get("description"),
        "tags": there.compute.get("tags"),
        "identity": _identity(there.compute.get("identity") or {}, refused if "identity" not in request else []),
        "defaultInstanceType": inner.get("defaultInstanceType"),
    }
    found = {name: request.get(name, present[name]) for name in _KEPT_AS_THEY_ARE}
    merged: dict[str, Any] = {
        "workspaceId": request["workspaceId"],
        "clusterId": there.cluster_id,
        "computeName": request["computeName"],
        "namespace": inner.get("namespace") or "default",
        "createNamespace": False,
        **{name: value for name, value in found.items() if value},
        "registerProviders": False,
        "cleanupLegacy": bool(request.get("cleanupLegacy")),
        "grantRoles": bool(request.get("grantRoles")),
        "smokeTest": "none",
        "onFailure": "keep",
    }
    kept_types = {} if "instanceTypes" in request else dict(inner.get("instanceTypes") or {})
    if request.get("instanceTypes"):
        merged["instanceTypes"] = request["instanceTypes"]
    extension = (there.extension or {}).get("properties") or {}
    listed = {*(extension.get("configurationProtectedSettings") or {})}
    kept = settings_to_keep(extension.get("configurationSettings") or {}, listed)
    merged["extension"] = _extension(request, there, kept.settings, refused)
    return Merged(merged, kept_types, tuple(refused), kept.left_out)


def postable(merged: Mapping[str, Any], kept_types: Mapping[str, Any]) -> dict[str, Any]:
    """The body of the POST /attach that finishes the reattach by hand."""
    types = [
        {"name": name, **{k: v for k, v in (spec or {}).items() if k in ("nodeSelector", "resources") and v}}
        for name, spec in kept_types.items()
        if re.fullmatch(instance_types.NAME, name) and name.lower() != instance_types.IMPLICIT
    ]
    return {**merged, "instanceTypes": types} if types else dict(merged)


def unnamed_types(kept_types: Mapping[str, Any]) -> tuple[str, ...]:
    """Instance types of a compute that no request can name, because no object in a cluster has such a name."""
    names = [name for name in kept_types if name.lower() != instance_types.IMPLICIT]
    return tuple(name for name in names if not re.fullmatch(instance_types.NAME, name))


def command(merged: Mapping[str, Any]) -> str:
    """The command line that attaches the compute as the reattach would; instance types and extension are not in it."""
    workspace, identity = parse_arm_id(str(merged["workspaceId"])), merged.get("identity") or {}
    words = ["az", "ml", "compute", "attach", "--type", "Kubernetes", "--name", str(merged["computeName"])]
    words += ["--resource-id", str(merged["clusterId"]), "--namespace", str(merged["namespace"])]
    if identity:
        words += ["--identity-type", str(identity["type"])]
    if identity.get("userAssignedIdentityId"):
        words += ["--user-assigned-identities", str(identity["userAssignedIdentityId"])]
    words += ["--workspace-name", workspace.name, "--resource-group", workspace.resource_group]
    return shlex.join([*words, "--subscription", workspace.subscription])


def protected_lost(
    before: Mapping[str, str], after: Mapping[str, str], known: frozenset[str], sent: frozenset[str]
) -> tuple[str, ...]:
    """Protected settings that a change would lose: they are replaced as a whole and cannot be read back.

    ``before`` and ``after`` are the plain settings, ``known`` the names of protected ones that Azure lists (as they are
    asked for), ``sent`` those that the change sends. A router that has its certificate from no secret of the cluster
    has it from protected settings.
    """
    if not sent:
        return ()
    has = {*known, CERTIFICATE, PRIVATE_KEY} if _tls_from_protected(before) and _tls_from_protected(after) else known
    return tuple(sorted(has - sent))


def _tls_from_protected(settings: Mapping[str, str]) -> bool:
    secure = is_on(settings, "enableInference") and not is_on(settings, "allowInsecureConnections")
    return secure and not settings.get("sslSecret")


def _identity(identity: Mapping[str, Any], refused: list[str]) -> dict[str, Any] | None:
    kind = str(identity.get("type") or "").replace(" ", "").lower()
    users = [str(each) for each in identity.get("userAssignedIdentities") or {}]
    if kind == "systemassigned":
        return {"type": "SystemAssigned"}
    user = resource_at(users[0], USER_IDENTITY) if users else None
    if kind == "userassigned" and user is not None:
        return {"type": "UserAssigned", "userAssignedIdentityId": str(user)}
    if kind not in ("", "none"):
        refused.append(
            f"/identity: the compute has identities of the kind {identity.get('type')}; name one to continue with"
        )
    return None


def _extension(
    request: Mapping[str, Any], there: Attachment, before: Mapping[str, str], refused: list[str]
) -> dict[str, Any]:
    asked: Mapping[str, Any] = request.get("extension") or {}
    properties = (there.extension or {}).get("properties") or {}
    given = dict(asked.get("configurationSettings") or {})
    protected = {**_sent(there, before), **(asked.get("configurationProtectedSettings") or {})}
    legacy = str(there.compute.get("properties", {}).get("computeType", "")).lower() == LEGACY_TYPE
    if there.extension is None and not {"enableTraining", "enableInference"} & {*given}:
        if legacy:
            refused.append(
                "/extension/configurationSettings: a compute of v1 does not say what its extension is to be like; name "
                "enableInference or enableTraining and the settings that go with it"
            )
        before = dict(DEFAULT_SETTINGS)
    settings = {**before, **given}
    if CERTIFICATE in protected and "sslSecret" not in given:
        settings.pop("sslSecret", None)
    settings |= _kept_tls(request, there, settings, protected, properties)
    changed = bool(asked) or settings != before
    if changed:
        stands = {*rules.check(before, {})} if there.extension is not None else set()
        refused += [f"{v.target}: {v.message}" for v in rules.check(settings, protected) if v not in stands]
    pinned = properties.get("version") if properties.get("autoUpgradeMinorVersion") is False else None
    version = asked.get("version") or pinned
    manage = ENSURE if there.extension is None else UPDATE if changed else REQUIRE
    return {
        "manage": asked.get("manage") or manage,
        "name": asked.get("name") or (there.extension or {}).get("name") or EXTENSION_NAME,
        "releaseTrain": asked.get("releaseTrain") or properties.get("releaseTrain") or RELEASE_TRAIN,
        "configurationSettings": settings,
        "configurationProtectedSettings": protected,
        **({"version": version} if version else {}),
    }


def _sent(there: Attachment, settings: Mapping[str, str]) -> dict[str, str]:
    """The protected settings that are known and still there; certificate and key only if the router has them so."""
    listed = ((there.extension or {}).get("properties") or {}).get("configurationProtectedSettings")
    unused = () if _tls_from_protected(settings) else (CERTIFICATE, PRIVATE_KEY)
    still = {name: each for name, each in there.sent.items() if not listed or protected_name(name) in listed}
    return {name: each for name, each in still.items() if name not in unused}


def _kept_tls(
    request: Mapping[str, Any],
    there: Attachment,
    settings: Mapping[str, str],
    protected: Mapping[str, str],
    properties: Mapping[str, Any],
) -> dict[str, str]:
    """The settings by which the certificate that v1 has is kept, by the name of our own copy of its secret."""
    if not request.get("cleanupLegacy") or CERTIFICATE in protected:
        return {}
    fresh = not is_on(properties.get("configurationSettings") or {}, "enableInference")
    wants = is_on(settings, "enableInference") and not is_on(settings, "allowInsecureConnections")
    adopted = wants and fresh and there.legacy_tls and "sslSecret" not in settings
    if settings.get("sslSecret") != LEGACY_TLS_SECRET and not adopted:
        return {}
    inner = there.compute.get("properties", {}).get("properties") or {}
    name = (inner.get("sslConfiguration") or {}).get("cname")
    told = {"sslCname": str(name)} if name and "sslCname" not in settings else {}
    return {"sslSecret": KEPT_TLS_SECRET, **told}
