"""Checks of extension settings against a cluster: what is said about them, as a warning or as what cannot be known."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import replace

from domain.cluster.nodes import selects
from domain.extension.cluster_facts import HIGH_AVAILABILITY_NODES, ClusterFacts
from domain.extension.keys import (
    CERTIFICATE,
    INFERENCE,
    KEYS,
    PRIVATE_KEY,
    PROTECTED,
    TRAINING,
    is_documented,
    mode_of,
)
from domain.extension.rules import tls_material
from domain.extension.wanted import Wanted, is_on
from domain.operation.outcomes import Finding

PASS, WARNING, FAIL, UNKNOWN = "pass", "warning", "fail", "unknown"


def check_on_cluster(
    wanted: Wanted, facts: ClusterFacts, hard: Collection[str] = (), there: Collection[str] = ()
) -> list[Finding]:
    """What is to be said of the settings on this cluster; nothing when all is well.

    A ``fail`` keeps the extension from being installed. A warning whose check is named in ``hard`` is one. ``there``
    are settings that the extension has already and that stay: that they are not documented is not said again.
    """
    found = [*_common(wanted, there), *_node_selector(wanted, facts), *_gpu(wanted, facts), *_small(wanted, facts)]
    if wanted.inference:
        found += [*_router(wanted, facts), *_tls(wanted)]
    return [replace(f, outcome=FAIL) if f.outcome == WARNING and f.check in hard else f for f in found]


def _common(wanted: Wanted, there: Collection[str]) -> Iterator[Finding]:
    for name in sorted({*wanted.settings, *wanted.protected}.difference(there)):
        if not is_documented(name) and name not in PROTECTED:
            close = difflib.get_close_matches(name, (*KEYS, *PROTECTED), n=1, cutoff=0.8)
            hint = f"Did you mean {close[0]}?" if close else "Check its spelling: keys are case-sensitive."
            yield Finding(
                "unknownSetting", WARNING, f"The setting {name} is not documented; passed on as it is.", remedy=hint
            )
    off = {name for name, on in ((TRAINING, wanted.training), (INFERENCE, wanted.inference)) if not on}
    idle = sorted(name for name in wanted.settings if mode_of(name) in off)
    if INFERENCE in off:
        idle += sorted({CERTIFICATE, PRIVATE_KEY} & {*wanted.protected})
    if idle:
        yield Finding(
            "settingWithoutEffect",
            WARNING,
            f"Without effect in the mode asked for: {', '.join(idle)}.",
            remedy="Leave them out, or switch on enableTraining or enableInference as they need.",
        )
    if is_off(wanted, "installPromOp"):
        yield _not_installed("existingPrometheusOperator", "Prometheus operator", "prometheuses.monitoring.coreos.com")
    if wanted.training and is_off(wanted, "installVolcano"):
        yield _not_installed("existingVolcano", "Volcano scheduler", "queues.scheduling.volcano.sh")


def is_off(wanted: Wanted, key: str) -> bool:
    """Whether a switch is given and not on."""
    return key in wanted.settings and not is_on(wanted.settings, key)


def _not_installed(check: str, what: str, definition: str) -> Finding:
    return Finding(
        check,
        UNKNOWN,
        f"The extension will not install the {what}: the cluster has to have it.",
        remedy="Look before jobs are sent.",
        command=f"kubectl get customresourcedefinition {definition}",
    )


def _node_selector(wanted: Wanted, facts: ClusterFacts) -> Iterator[Finding]:
    selector = wanted.node_selector
    if not selector:
        return
    text = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
    command = f"kubectl get nodes --selector {text}"
    pools = facts.pools or ()
    judged = [selects(pool, selector) for pool in pools]
    if True in judged:
        return
    if None in judged or facts.pools is None or any(all(k not in pool for pool in pools) for k in selector):
        yield Finding("nodeSelector", UNKNOWN, f"Whether nodes carry {text} cannot be seen from here.", command=command)
    else:
        yield Finding(
            "nodeSelector",
            WARNING,
            f"No node pool carries {text}: nothing of the extension could be scheduled (E40002).",
            remedy="Correct the nodeSelector, or give a node pool these labels.",
            command=command,
        )


def _gpu(wanted: Wanted, facts: ClusterFacts) -> Iterator[Finding]:
    plug_in = is_on(wanted.settings, "installNvidiaDevicePlugin")
    if facts.gpu_nodes is False:
        for key, on in (
            ("installNvidiaDevicePlugin", plug_in),
            ("installDcgmExporter", is_on(wanted.settings, "installDcgmExporter")),
        ):
            if on:
                yield Finding("gpuNodes", WARNING, f"{key} is on and the cluster has no node pool with NVIDIA GPUs.")
    elif facts.gpu_nodes and not plug_in:
        yield Finding(
            "nvidiaDevicePlugin",
            UNKNOWN,
            "The cluster has nodes with NVIDIA GPUs and the extension will not install the device plug-in.",
            remedy="Check that the plug-in is installed, or set installNvidiaDevicePlugin=true.",
            command="kubectl get daemonsets --all-namespaces --selector name=nvidia-device-plugin-ds",
        )


def _small(wanted: Wanted, facts: ClusterFacts) -> Iterator[Finding]:
    if facts.node_count is None:
        if wanted.inference and not is_off(wanted, "inferenceRouterHA"):
            yield Finding(
                "routerHighAvailability",
                UNKNOWN,
                "How many nodes the extension can use cannot be seen; three replicas of the router need three.",
                remedy="On a smaller cluster set inferenceRouterHA=false.",
            )
        return
    if facts.node_count >= HIGH_AVAILABILITY_NODES:
        return
    nodes = f"{facts.node_count} node" + ("" if facts.node_count == 1 else "s")
    if wanted.inference and is_on(wanted.settings, "inferenceRouterHA"):
        yield Finding(
            "routerHighAvailability",
            FAIL,
            f"inferenceRouterHA needs three nodes and the extension can use {nodes} of the cluster (E40002).",
            remedy="Set inferenceRouterHA=false, or add nodes.",
        )
    elif wanted.inference and "inferenceRouterHA" not in wanted.settings:
        message = f"The extension can use {nodes}: inferenceRouterHA is set to false, one replica of the router."
        yield Finding("routerHighAvailability", WARNING, message, remedy="For high availability add nodes.")
    if "clusterPurpose" not in wanted.settings and wanted.purpose is None:
        message = f"The extension can use {nodes}: the extension's clusterPurpose is set to DevTest."
        yield Finding("smallCluster", WARNING, message, remedy="Say clusterPurpose to decide otherwise.")


def _router(wanted: Wanted, facts: ClusterFacts) -> Iterator[Finding]:
    if "internalLoadBalancerProvider" not in wanted.settings:
        return
    if facts.connected:
        yield Finding(
            "internalLoadBalancer",
            FAIL,
            "An internal load balancer is made on AKS only (E40003).",
            remedy="Leave internalLoadBalancerProvider out.",
        )
    if wanted.settings.get("inferenceRouterServiceType", "").lower() == "clusterip":
        message = "internalLoadBalancerProvider is without effect when inferenceRouterServiceType is clusterIP."
        yield Finding("internalLoadBalancer", WARNING, message, remedy="Choose loadBalancer, or leave it out.")
    if "sslSecret" in wanted.settings or tls_material(wanted.protected):
        yield Finding(
            "internalLoadBalancerWithTls",
            WARNING,
            "An internal load balancer together with TLS: clients must reach the private address under the name in the "
            "certificate, which needs a private DNS zone.",
            remedy="Point sslCname at the router's private address for every client, or leave TLS to another proxy.",
        )


def _tls(wanted: Wanted) -> Iterator[Finding]:
    material, secret = tls_material(wanted.protected), "sslSecret" in wanted.settings
    if is_on(wanted.settings, "allowInsecureConnections"):
        if material or secret:
            message = "allowInsecureConnections is on: certificate and key are not used."
            yield Finding("insecureConnections", WARNING, message, remedy="Leave allowInsecureConnections out for TLS.")
        return
    if material and secret:
        message = "The certificate from Key Vault is used; sslSecret is not."
        yield Finding("twoCertificates", WARNING, message, remedy="Leave one of them out.")
    elif secret:
        name = wanted.settings["sslSecret"]
        yield Finding(
            "tlsSecretInCluster",
            UNKNOWN,
            f"The secret {name} with cert.pem and key.pem must be in the namespace azureml before the installation.",
            remedy="Look, and make it if it is missing.",
            command=f"kubectl get secret {name} --namespace azureml",
        )
