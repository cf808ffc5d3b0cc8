"""How an existing extension differs from what is asked for, and what a PATCH would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domain.extension.checks import WARNING
from domain.extension.cluster_facts import ClusterFacts
from domain.extension.keys import (
    CHOICE,
    KEYS,
    NODE_SELECTOR,
    SWITCH,
    for_helm,
)
from domain.extension.wanted import REQUIRE, UPDATE, Wanted, is_on
from domain.extension.wire import (
    INTERNAL,
    NODE_PORT,
    SSL_SECRET,
    derived_settings,
    generated_settings,
    named_settings,
    protected_to_send,
)
from domain.operation.outcomes import Finding

_DERIVED = (NODE_PORT, INTERNAL, SSL_SECRET, "scoringFe.namespace", "openshift")
# Impact of an update, from the CLI's own list of what it asks a person to confirm.
_JOBS_WHEN_OFF = ("enableTraining", "installNvidiaDevicePlugin")
_ENDPOINTS_WHEN_OFF = ("enableInference",)
_ENDPOINTS = (
    "allowInsecureConnections",
    "inferenceRouterServiceType",
    "internalLoadBalancerProvider",
    "sslCname",
    "installNvidiaDevicePlugin",
)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as asked for; ``actual`` None says that it is not set."""

    key: str
    wanted: str
    actual: str | None

    def __str__(self) -> str:
        return f"{self.key} is {'not set' if self.actual is None else self.actual}, wanted {self.wanted}"


def difference(wanted: Wanted, extension: Mapping[str, Any]) -> list[Difference]:
    """What an extension (its ARM ``properties``) has otherwise than the request names it; empty when it suffices.

    Only what the request names is compared, a setting that is not set with its documented default. Protected settings
    cannot be read back: TLS is compared by what shows of it.
    """
    actual = {for_helm(name): value for name, value in _settings(extension).items()}
    asked = {for_helm(name) for name in wanted.settings}
    found = [
        Difference(name, value, actual.get(name))
        for name, value in named_settings(wanted).items()
        if name in asked and not _same(name, value, actual)
    ]
    train, version = str(extension.get("releaseTrain") or ""), wanted.version
    if wanted.release_train.lower() not in ("stable", train.lower()):
        found.append(Difference("releaseTrain", wanted.release_train, train or None))
    if version is not None:
        present = extension.get("version") or extension.get("currentVersion")
        if present != version:
            found.append(Difference("version", version, present))
        if extension.get("autoUpgradeMinorVersion") is not False:
            found.append(Difference("autoUpgradeMinorVersion", "false", "true"))
    return found


def settings_to_change(wanted: Wanted, facts: ClusterFacts, extension: Mapping[str, Any]) -> dict[str, str]:
    """The plain settings that a PATCH has to carry: they are merged, so what is left out stays as it is."""
    actual = _settings(extension)
    asked = {for_helm(name) for name in wanted.settings}
    named = {name: value for name, value in named_settings(wanted).items() if name in asked}
    derived = derived_settings(wanted, facts)
    target = {name: value for name, value in generated_settings(facts, named).items() if name not in actual}
    target |= named
    if wanted.inference:
        fresh = not is_on(actual, "enableInference")
        target |= {name: value for name, value in derived.items() if fresh or name in _DERIVED}
        # A PATCH cannot remove a key: what no longer holds is said to be off.
        gone = [k for k in (NODE_PORT, INTERNAL) if is_on(actual, k) and k not in derived]
        target |= dict.fromkeys(gone, "False")
        if actual.get(SSL_SECRET) and SSL_SECRET not in derived and protected_to_send(wanted):
            target[SSL_SECRET] = ""
    if wanted.purpose is not None and "clusterPurpose" in derived:
        target["clusterPurpose"] = derived["clusterPurpose"]
    return {name: value for name, value in target.items() if not _equal(name, value, actual.get(name))}


def update_findings(
    wanted: Wanted, changes: Mapping[str, str], extension: Mapping[str, Any], protected: bool
) -> list[Finding]:
    """What a change of these settings does to existing jobs and endpoints: warnings, as the CLI gives them."""
    actual = _settings(extension)
    selector = any(name.startswith(NODE_SELECTOR) for name in changes)
    found: list[Finding] = []
    jobs = [n for n in _JOBS_WHEN_OFF if n in changes and is_on(actual, n) and not is_on(changes, n)]
    endpoints = [n for n in _ENDPOINTS_WHEN_OFF if n in changes and is_on(actual, n) and not is_on(changes, n)]
    endpoints += [n for n in _ENDPOINTS if n in changes]
    text = [NODE_SELECTOR.rstrip(".")] if selector else []
    if is_on(actual, "enableTraining") and jobs + text:
        found.append(Finding("trainingJobs", WARNING, f"Jobs on this cluster may be hit: {', '.join(jobs + text)}."))
    if is_on(actual, "enableInference") and endpoints + text:
        message = f"Online endpoints on this cluster may be hit: {', '.join(endpoints + text)}."
        found.append(Finding("onlineEndpoints", WARNING, message))
    if protected and is_on(actual, "enableInference"):
        message = "The router's certificate and key are replaced; what was there cannot be read and compared."
        found.append(Finding("certificateReplaced", WARNING, message))
    found += list(_selectors_that_stay(wanted, actual))
    return found


def _selectors_that_stay(wanted: Wanted, actual: Mapping[str, str]) -> Iterator[Finding]:
    asked = {for_helm(name) for name in wanted.settings if name.startswith(NODE_SELECTOR)}
    stays = sorted(name for name in actual if name.startswith(NODE_SELECTOR) and for_helm(name) not in asked)
    if asked and stays:
        yield Finding(
            "nodeSelector",
            WARNING,
            f"A node selector cannot be removed from an extension: {', '.join(stays)} stays.",
            remedy="Delete and install the extension to be rid of it.",
        )


def _settings(extension: Mapping[str, Any]) -> dict[str, str]:
    return {str(k): str(v) for k, v in (extension.get("configurationSettings") or {}).items()}


def _same(name: str, value: str, actual: Mapping[str, str]) -> bool:
    if name == "sslSecret":
        return value in (actual.get("sslSecret"), actual.get(SSL_SECRET))
    key = KEYS.get(name)
    return _equal(name, value, actual.get(name, key.default if key else None))


def _equal(name: str, value: str, actual: str | None) -> bool:
    if actual is None:
        return False
    key = KEYS.get(name)
    if (key is not None and key.kind in (SWITCH, CHOICE)) or name in (NODE_PORT, INTERNAL):
        return value.lower() == actual.lower()
    return value == actual


def is_to_change(wanted: Wanted, found: Mapping[str, Any] | None) -> bool:
    """Whether the extension, or its absence, is to be changed for this request."""
    if found is None:
        return wanted.manage != REQUIRE
    if wanted.manage != UPDATE:
        return False
    # What is protected cannot be read back and compared: asked to update, it is sent.
    return bool(difference(wanted, found.get("properties", {}))) or bool(protected_to_send(wanted))
