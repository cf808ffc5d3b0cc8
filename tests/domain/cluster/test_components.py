"""The component table, mode by mode, and what counts as ready."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from domain.cluster.components import (
    INSTALLED,
    UPDATED,
    PodState,
    Report,
    Router,
    Seen,
    Workload,
    expected,
    judge,
    reported,
    reports_in,
    router_address,
    waiting_pods,
)

TRAINING = {"enableTraining": "True", "nginxIngress.enabled": "true"}
INFERENCE = {"enableInference": "True", "inferenceRouterServiceType": "LoadBalancer", "nginxIngress.enabled": "true"}
ALWAYS = {"gateway", "metrics-controller-manager", "aml-kube-state-metrics", "prometheus-prom-prometheus"}
VOLCANO = {"volcano-admission", "volcano-controllers", "volcano-scheduler"}
SERVING = {
    "amlarc-identity-controller",
    "amlarc-identity-proxy",
    "azureml-fe-v2",
    "inference-operator-controller-manager",
    "azureml-ingress-nginx-controller",
}
OPERATOR = {"aml-prometheus-operator"}


@pytest.mark.parametrize(
    ("settings", "connected", "names"),
    [
        (TRAINING, False, ALWAYS | OPERATOR | VOLCANO | {"aml-operator"}),
        (INFERENCE, False, ALWAYS | OPERATOR | SERVING),
        ({**TRAINING, **INFERENCE}, False, ALWAYS | OPERATOR | VOLCANO | SERVING | {"aml-operator"}),
        ({**TRAINING, "installVolcano": "False"}, False, ALWAYS | OPERATOR | {"aml-operator"}),
        ({**TRAINING, "installPromOp": "false"}, False, ALWAYS | VOLCANO | {"aml-operator"}),
        (
            {**TRAINING, "installDcgmExporter": "True"},
            False,
            ALWAYS | OPERATOR | VOLCANO | {"aml-operator", "aml-dcgm-exporter"},
        ),
        (
            {**TRAINING, "installNvidiaDevicePlugin": "True"},
            False,
            ALWAYS | OPERATOR | VOLCANO | {"aml-operator", "nvidia-device-plugin-daemonset"},
        ),
        ({"enableTraining": "True"}, True, ALWAYS | OPERATOR | VOLCANO | {"aml-operator", "relayserver"}),
        (
            {**INFERENCE, "nginxIngress.enabled": "false"},
            True,
            ALWAYS | OPERATOR | SERVING - {"azureml-ingress-nginx-controller"} | {"relayserver"},
        ),
    ],
)
def test_what_has_to_run(settings: dict[str, str], connected: bool, names: set[str]) -> None:
    assert {name for _, name in expected("aml", settings, connected=connected)} == names


def running(settings: dict[str, str], **more: Any) -> Seen:
    workloads = tuple(Workload(kind, name, 1, 1) for kind, name in expected("aml", settings, connected=False))
    return replace(Seen(workloads, router=Router("LoadBalancer", ("20.1.2.3",)), reports={}), **more)


def trouble(settings: dict[str, str], seen: Seen) -> tuple[str, ...]:
    return judge(seen, "aml", settings, connected=False).trouble


def test_all_that_has_to_run_runs() -> None:
    for settings in (TRAINING, INFERENCE):
        health = judge(running(settings), "aml", settings, connected=False)
        assert health.ready
        assert health.expected == len(expected("aml", settings, connected=False))
    assert router_address(running(INFERENCE)) == "20.1.2.3"


def test_what_is_missing_or_not_available() -> None:
    seen = running(TRAINING)
    without = replace(seen, workloads=seen.workloads[1:])
    assert trouble(TRAINING, without) == ("Deployment gateway is not there",)
    half = replace(seen, workloads=(Workload("Deployment", "gateway", 3, 2), *seen.workloads[1:]))
    assert trouble(TRAINING, half) == ("Deployment gateway has 2 of 3 available",)


@pytest.mark.parametrize("wait", ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull"])
def test_pods_that_do_not_mend_by_themselves(wait: str) -> None:
    assert trouble(TRAINING, running(TRAINING, pods=(PodState("p", (wait,)),))) == (f"pod p is in {wait}",)


def test_pods_that_are_starting_are_no_trouble() -> None:
    assert trouble(TRAINING, running(TRAINING, pods=(PodState("p", ("ContainerCreating",)),))) == ()


def test_the_router() -> None:
    assert trouble(INFERENCE, running(INFERENCE, router=None)) == ("Service azureml-fe is not there",)
    bare = running(INFERENCE, router=Router("LoadBalancer"))
    assert trouble(INFERENCE, bare) == ("Service azureml-fe has no address of a load balancer",)
    inside = {**INFERENCE, "inferenceRouterServiceType": "ClusterIP"}
    assert trouble(inside, running(inside, router=Router("ClusterIP"))) == ()
    assert trouble(TRAINING, running(TRAINING, router=None)) == ()


def test_codes_of_the_health_check() -> None:
    reports = {"reports-pre-install": '[{"code": "E45003"}]', "reports-test": "E40001 and E45003"}
    assert reported(reports) == ("E40001", "E45003")
    assert trouble(TRAINING, running(TRAINING, reports=reports)) == ("the health check reports E40001",)
    diagnostic = judge(running(TRAINING, reports={"reports-test": "E45003"}), "aml", TRAINING, connected=False)
    assert diagnostic.ready
    assert diagnostic.codes == ("E45003",)
    assert reported({"reports-pre-delete": "E40001", "reports-pre-rollback": "E40002"}) == ()
    assert reported(None) == ()


AUXILIARY = ["azureml-kube-state-metrics", "azureml-prometheus-operator", "metrics-controller-manager"]


@pytest.mark.parametrize("name", AUXILIARY)
@pytest.mark.parametrize("way", ["gone", "down", "looping"])
def test_r20_a_component_that_only_gathers_metrics_is_no_trouble(name: str, way: str) -> None:
    running = [Workload(kind, each, 1, 1) for kind, each in expected("azureml", {}, connected=False)]
    others = [each for each in running if each.name != name]
    pods: tuple[PodState, ...] = ()
    if way == "down":
        others.append(Workload("Deployment", name, 1, 0))
    if way == "looping":
        others.append(Workload("Deployment", name, 1, 1))
        pods = (PodState(f"{name}-7d9f-x", ("CrashLoopBackOff",)),)
    health = judge(Seen(tuple(others), pods, None, None), "azureml", {}, connected=False)
    assert (health.ready, health.starting, len(health.lesser)) == (True, way == "down", 1)
    assert name in health.lesser[0]


@pytest.mark.parametrize("pod", ["fluent-bit-x7k2p", "aml-kube-state-metrics-5d4f-x", "prometheus-prom-prometheus-0"])
def test_r20_a_pod_that_only_gathers_is_no_trouble_whether_it_is_expected_or_not(pod: str) -> None:
    settings = {**TRAINING, "installPromOp": "false"}
    health = judge(running(settings, pods=(PodState(pod, ("CrashLoopBackOff",)),)), "aml", settings, connected=False)
    assert (health.trouble, [pod in text for text in health.lesser]) == ((), [True])


def test_pods_say_why_they_were_killed_and_why_they_find_no_node() -> None:
    killed = PodState("gateway-7d-x", ("CrashLoopBackOff",), killed="exit code 137: it needed more memory")
    assert trouble(TRAINING, running(TRAINING, pods=(killed,))) == (
        "pod gateway-7d-x is in CrashLoopBackOff (exit code 137: it needed more memory)",
    )
    lost = PodState("gateway-7d-y", unplaced="0/3 nodes are available: 3 node(s) were unschedulable.")
    # One that waits for a node while all that is needed runs is no trouble; else it says why.
    assert trouble(TRAINING, running(TRAINING, pods=(lost,))) == ()
    without = running(TRAINING, pods=(lost, killed))
    assert trouble(TRAINING, without)[-1] == (
        "pod gateway-7d-y finds no node: 0/3 nodes are available: 3 node(s) were unschedulable."
    )
    assert waiting_pods(without)[-1] == trouble(TRAINING, without)[-1]


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ('[{"Code": "E40001", "message": "no balancer"}]', Report("E40001", "no balancer")),
        ('{"errorCode": "E40001", "message": "no balancer"}', Report("E40001", "no balancer")),
        ("2026-11-30 ERROR E50001 the moon is wrong", Report("E50001", "2026-11-30 ERROR E50001 the moon is wrong")),
    ],
)
def test_r17_reports_in_other_shapes_are_read(report: str, found: Report) -> None:
    assert reports_in({"reports-pre-install": report}, INSTALLED) == (found,)


@pytest.mark.parametrize("name", ["gateway", "volcano-scheduler", "aml-operator"])
def test_a_component_that_jobs_need_is(name: str) -> None:
    settings = {"enableTraining": "True"}
    running = [Workload(kind, each, 1, 1) for kind, each in expected("azureml", settings, connected=False)]
    seen = Seen(tuple(each for each in running if each.name != name), (), None, None)
    health = judge(seen, "azureml", settings, connected=False)
    assert (health.ready, health.lesser) == (False, ())


def test_r17_reports_are_read_with_their_own_text() -> None:
    listed = '[{"code": "E40003", "name": "X"}, {"code": "E49990", "message": "the moon is wrong"}, 5, {"code": 7}]'
    reports = {
        "reports-pre-install": listed,
        "reports-pre-delete": "found E40001: no balancer",
        "reports-test": "E45001",
    }
    assert reports_in(reports, INSTALLED) == (
        Report("E40001", "found E40001: no balancer"),
        Report("E40003", "X"),
        Report("E49990", "the moon is wrong"),
    )
    assert reports_in(reports, UPDATED) == ()
    assert reports_in(None, INSTALLED) == ()


def test_reports_without_measure_are_cut() -> None:
    text = json.dumps([{"code": f"E{n}", "message": "x" * 5000} for n in range(10)])
    assert all(len(each.text) <= 500 for each in reports_in({"reports-pre-install": text}, INSTALLED))
    assert len(reports_in({"reports-pre-install": "\n".join(f"E4{n:04}" for n in range(9999))}, INSTALLED)) <= 64
    assert reports_in({"reports-pre-install": "[" * 500_000}, INSTALLED) == ()
