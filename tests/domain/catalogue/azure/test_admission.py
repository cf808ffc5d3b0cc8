"""Policies inside the cluster: which of them refused, and webhooks that do not answer."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import admission
from domain.catalogue.explain import explain
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import known_to, resolved

GATEKEEPER = 'admission webhook "validation.gatekeeper.sh" denied the request: '
KYVERNO = 'admission webhook "validate.kyverno.svc-fail" denied the request: '
DENIED = [
    (f"{GATEKEEPER}[azurepolicy-k8sazurev3noprivilege-12ab] Privileged", "azurepolicy-k8sazurev3noprivilege-12ab"),
    (f"{GATEKEEPER}[denied by azurepolicy-container-limits-1] no limits", "azurepolicy-container-limits-1"),
    (f"{GATEKEEPER}[must-have-owner] you must provide labels: owner", "must-have-owner"),
    (f"{GATEKEEPER}[denied by psp-host-network] hostNetwork", "psp-host-network"),
    (
        f"Helm installation failed: {KYVERNO}\n\nresource Deployment/azureml/gateway was blocked due to the following "
        "policies \n\nrequire-labels:\n  check-team: 'validation error: label team'",
        "require-labels",
    ),
    (
        f"{KYVERNO}\n\npolicy Pod/azureml/healthcheck for resource violation: \n\ndisallow-latest-tag:\n  tag: no",
        "disallow-latest-tag",
    ),
    ("pods is forbidden: ValidatingAdmissionPolicy 'no-root' with binding 'all' denied request: root", "no-root"),
    ('admission webhook "guard.contoso.com" denied the request: not today', "guard.contoso.com"),
    ('pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true', "restricted:latest"),
    (r"pods \"x\" is forbidden: violates PodSecurity \"baseline:v1.30\": host namespaces", "baseline:v1.30"),
    (r"{\"message\":\"admission webhook \"guard.contoso.com\" denied the request: no\"}", "guard.contoso.com"),
]


@pytest.mark.parametrize(("text", "policy"), DENIED)
@pytest.mark.parametrize("situation", ["extension", "attach", "job", "detach", "request"])
def test_r31_the_policy_is_named(text: str, policy: str, situation: str) -> None:
    problem = explain(situation, [AzureAnswer("ExtensionOperationFailed", text)], {"cluster": "aks"})
    assert problem.code == "DeniedInCluster"
    assert policy in problem.message
    assert "<" not in problem.message
    assert ("Azure Policy" in problem.message) is ("azurepolicy" in policy)


def test_r31_a_denial_inside_a_failed_health_check_comes_first() -> None:
    text = f"release azureml failed: failed pre-install: {GATEKEEPER}[no-host] host"
    assert explain("extension", [AzureAnswer("X", text)], {}).code == "DeniedInCluster"


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ('pods "a" is forbidden: exceeded quota: my-quota, requested: cpu=2, used: cpu=7, limited: cpu=8', "my-quota"),
        ('pods "a" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "per Container is 1Gi"),
        ('pods "a" is forbidden: [minimum cpu usage per Pod is 1, but request is 100m', "usage per Pod is 1"),
    ],
)
def test_a_quota_of_a_namespace_is_named(text: str, quota: str) -> None:
    for situation in ("extension", "attach", "job", "request"):
        problem = explain(situation, [AzureAnswer("X", f"Helm failed: {text}")], {"cluster": "aks"})
        assert (problem.code, quota in problem.message) == ("QuotaInCluster", True)


@pytest.mark.parametrize("text", ["a policy is blocking the resource", "the webhook is fine", "denied the request"])
def test_a_near_miss_is_not(text: str) -> None:
    assert known_to(admission.ENTRIES, AzureAnswer(None, text)) == []


@pytest.mark.parametrize(
    "text",
    [
        'failed calling webhook: no endpoints available for service "azureml-ingress-nginx-controller-admission"',
        'failed calling webhook "x": Post "https://x.svc:443": dial tcp 10.0.0.1:443: connect: connection refused',
        'failed to call webhook: Post "https://x.svc:443": context deadline exceeded',
    ],
)
def test_r16_a_webhook_without_pods_passes(text: str) -> None:
    assert resolved(admission.ENTRIES, "extension", AzureAnswer("X", text)) == "WebhookNotReady"
    assert explain("extension", [AzureAnswer("X", text)], {}).transient
