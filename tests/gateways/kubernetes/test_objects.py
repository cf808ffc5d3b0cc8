"""From objects of the Kubernetes API to what the rules look at."""

from __future__ import annotations

from typing import Any

import pytest
from lightkube.resources.apps_v1 import DaemonSet, Deployment, StatefulSet
from lightkube.resources.core_v1 import ConfigMap, Pod, Service

from domain.cluster.components import PodState, Router, Seen
from domain.workloads.cluster_objects import ClusterObject
from gateways.kubernetes.objects import seen_from, work_from


def seen(**parts: Any) -> Seen:
    none: dict[str, Any] = {"deployments": [], "daemon_sets": [], "stateful_sets": [], "pods": []}
    return seen_from(**{**none, "router": None, "health": None, **parts})


SELECTED = {"selector": {}, "template": {}, "serviceName": "s"}


def named(kind: Any, **fields: Any) -> Any:
    spec = {"spec": SELECTED} if kind in (Deployment, DaemonSet, StatefulSet) else {}
    return kind.from_dict({"metadata": {"name": "a"}, **spec, **fields})


@pytest.mark.parametrize(
    ("parts", "wanted", "available"),
    [
        ({"deployments": [named(Deployment)]}, 1, 0),
        ({"deployments": [named(Deployment, spec={**SELECTED, "replicas": 0}, status={})]}, 0, 0),
        (
            {"deployments": [named(Deployment, spec={**SELECTED, "replicas": 3}, status={"availableReplicas": 2})]},
            *(3, 2),
        ),
        ({"daemon_sets": [named(DaemonSet)]}, 1, 0),
        (
            {
                "daemon_sets": [
                    named(
                        DaemonSet,
                        status={
                            "currentNumberScheduled": 2,
                            "desiredNumberScheduled": 4,
                            "numberMisscheduled": 0,
                            "numberReady": 3,
                        },
                    )
                ]
            },
            *(4, 3),
        ),
        ({"stateful_sets": [named(StatefulSet)]}, 1, 0),
        (
            {
                "stateful_sets": [
                    named(
                        StatefulSet,
                        spec={**SELECTED, "replicas": 2},
                        status={"replicas": 2, "readyReplicas": 1},
                    )
                ]
            },
            *(2, 1),
        ),
    ],
)
def test_counters_that_are_left_out_are_none_available_of_one(parts: Any, wanted: int, available: int) -> None:
    (workload,) = seen(**parts).workloads
    assert (workload.name, workload.wanted, workload.available) == ("a", wanted, available)


def test_a_pod_waits_for_what_any_of_its_containers_waits_for() -> None:
    def container(reason: str | None) -> dict[str, Any]:
        state = {"waiting": {"reason": reason}} if reason else {"running": {}}
        return {"name": "c", "image": "i", "imageID": "x", "ready": False, "restartCount": 0, "state": state}

    pod = named(
        Pod,
        status={
            "initContainerStatuses": [container("ImagePullBackOff")],
            "containerStatuses": [container(None), container("CrashLoopBackOff")],
        },
    )
    assert seen(pods=[pod, named(Pod)]).pods == (
        PodState("a", ("ImagePullBackOff", "CrashLoopBackOff")),
        PodState("a", ()),
    )


def test_r30_a_pod_says_how_it_was_killed_and_why_it_finds_no_node() -> None:
    def container(**states: Any) -> dict[str, Any]:
        bare = {"name": "c", "image": "i", "imageID": "x", "ready": False, "restartCount": 3}
        return {**bare, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, **states}

    def ended(code: int, reason: str) -> dict[str, Any]:
        return {"terminated": {"exitCode": code, "reason": reason}}

    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: 3 cordoned"}
    statuses: list[dict[str, Any]] = [
        {"containerStatuses": [container(), container(lastState=ended(137, "OOMKilled"))]},
        {"containerStatuses": [container(lastState=ended(137, "Error"))]},
        {"initContainerStatuses": [container(state=ended(137, "Error"))]},
        {"containerStatuses": [container(lastState=ended(1, "Error"))]},
        {"conditions": [{**placed, "status": "True"}, placed]},
        {"conditions": [{**placed, "reason": "SchedulingGated"}]},
    ]
    found = seen(pods=[named(Pod, status=status) for status in statuses]).pods
    assert [pod.killed for pod in found] == [
        "exit code 137: it needed more memory than its limit",
        "exit code 137: killed",
        "exit code 137: killed",
        *(None, None, None),
    ]
    assert [pod.unplaced for pod in found] == [None, None, None, None, "0/3 nodes: 3 cordoned", None]


@pytest.mark.parametrize(
    ("service", "router"),
    [
        (None, None),
        ({}, Router("ClusterIP", ())),
        ({"spec": {"type": "NodePort"}}, Router("NodePort", ())),
        (
            {
                "spec": {"type": "LoadBalancer"},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "a.example"}, {}]}},
            },
            Router("LoadBalancer", ("192.0.2.1", "a.example")),
        ),
    ],
)
def test_a_router_has_the_addresses_of_its_load_balancer(service: Any, router: Router | None) -> None:
    assert seen(router=None if service is None else named(Service, **service)).router == router


def test_no_health_check_is_something_else_than_one_that_reports_nothing() -> None:
    assert seen().reports is None
    assert seen(health=named(ConfigMap)).reports == {}
    assert seen(health=named(ConfigMap, data={"a": "b"})).reports == {"a": "b"}


@pytest.mark.parametrize(
    ("found", "work"),
    [
        ({"metadata": {"name": "a"}}, ClusterObject("Pod", "a", {}, "unknown")),
        ({"metadata": {"name": "a", "labels": None}, "status": None}, ClusterObject("Pod", "a", {}, "unknown")),
        (
            {"metadata": {"name": "a", "labels": {"x": "y"}}, "status": {"phase": "Running", "state": "other"}},
            ClusterObject("Pod", "a", {"x": "y"}, "Running"),
        ),
        ({"metadata": {"name": "a"}, "status": {"state": "Succeeded"}}, ClusterObject("Pod", "a", {}, "Succeeded")),
    ],
)
def test_work_has_a_phase_even_when_nobody_says_it(found: dict[str, Any], work: ClusterObject) -> None:
    assert work_from("Pod", found) == work


def test_what_an_endpoint_specifies_is_not_read() -> None:
    found = {"metadata": {"name": "a"}, "spec": {"key": "sesame"}, "status": {"state": "Succeeded"}}
    assert "sesame" not in repr(work_from("OnlineEndpoint", found))
