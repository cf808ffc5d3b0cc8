"""Policies inside the cluster, which refuse objects at its door: Azure Policy, Gatekeeper, Kyverno and others.

Whoever makes an object there meets them: the extension's installation, Azure ML, a job, Moor itself. Texts as the
projects' documentation has them: Gatekeeper ("[constraint] message", before release 3.5 "[denied by constraint]"),
Kyverno ("blocked due to the following policies", "for resource violation"), Kubernetes (ValidatingAdmissionPolicy, Pod
Security, quotas).
Constraints that Azure Policy puts into a cluster have names that begin with azurepolicy.
"""

from __future__ import annotations

from domain.catalogue.entry import (
    ATTACH,
    DETACH,
    ENDPOINT,
    EXTENSION,
    JOB,
    REQUEST,
    TROUBLESHOOT_EXTENSION,
    Entry,
    Sample,
    worded,
)

_ANY = (EXTENSION, ATTACH, DETACH, JOB, ENDPOINT, REQUEST)
_WEBHOOK = r'admission webhook \\*"(?P<webhook>[^"\\]{1,253})\\*" denied the request'
_OTHERS = r"\A(?!.*\[(?:denied by )?azurepolicy-)"

ENTRIES = (
    Entry(
        code="DeniedInCluster",
        variant="azure-policy",
        situations=_ANY,
        cause="Azure Policy forbids in cluster {cluster} what is to be made there: {policy} (by {webhook}).",
        remedy="Ask for an exemption of namespace azureml and of the compute's namespace from its assignment, then "
        "start the operation again.",
        command="az policy assignment list --scope {cluster_id} --disable-scope-strict-match --output table",
        on=(worded(rf"{_WEBHOOK}.*?\[(?:denied by )?(?P<policy>azurepolicy-[\w.-]{{1,253}})\]"),),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                'admission webhook "validation.gatekeeper.sh" denied the request: '
                "[azurepolicy-k8sazurev2noprivilege-0a1b2c] Privileged container is not allowed: proxy",
                quoted=False,
            ),
        ),
        documentation="https://learn.microsoft.com/azure/governance/policy/concepts/policy-for-kubernetes",
    ),
    Entry(
        code="DeniedInCluster",
        situations=_ANY,
        cause="A policy in cluster {cluster} forbids what is to be made there: {policy} (by {webhook}).",
        remedy="Have whoever keeps the policy exempt namespace azureml and the compute's namespace, or allow what "
        "Azure's words name; then start the operation again.",
        command="kubectl get validatingwebhookconfigurations,validatingadmissionpolicies,namespaces --show-labels",
        on=(
            worded(rf"{_OTHERS}.*?{_WEBHOOK}.*?\[(?:denied by )?(?P<policy>[a-z0-9][\w.-]{{1,253}})\]"),
            worded(
                rf"{_OTHERS}.*?{_WEBHOOK}.*?(?:polic(?:y|ies)|violations?)\W{{1,20}}"
                r"(?P<policy>[a-z0-9][a-z0-9.-]{0,253}):\s"
            ),
            worded(
                r"(?P<webhook>ValidatingAdmissionPolicy) \\*['\"](?P<policy>[^'\"\\]{1,253})\\*['\"].{0,300}?denied"
            ),
            # Kubernetes itself: the levels of Pod Security that a namespace enforces.
            worded(r"violates (?P<webhook>PodSecurity) \\*['\"](?P<policy>[a-z]{1,20}:[\w.-]{1,40})\\*['\"]"),
            # A webhook that names no policy: its own name is all there is.
            worded(rf"{_OTHERS}.*?" + _WEBHOOK.replace("(?P<webhook>", '(?=(?P<policy>[^"\\\\]{1,253}))(?P<webhook>')),
        ),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                'admission webhook "validation.gatekeeper.sh" denied the request: [no-host-network] The specified '
                "hostNetwork and hostPort are not allowed, pod: healthcheck",
                quoted=False,
            ),
            Sample(
                None,
                'admission webhook "validate.kyverno.svc-fail" denied the request: resource Deployment/azureml/gateway '
                "was blocked due to the following policies require-labels: check-team: 'validation error: label team "
                "is required.'",
                quoted=False,
            ),
            Sample(
                None,
                "deployments.apps \"gateway\" is forbidden: ValidatingAdmissionPolicy 'replica-limit' with binding "
                "'replica-limit-binding' denied request: too many replicas",
                quoted=False,
            ),
            Sample(
                None,
                'pods "healthcheck" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation '
                "!= false",
                quoted=False,
            ),
            Sample(None, 'admission webhook "guard.contoso.com" denied the request: no', quoted=False),
        ),
    ),
    Entry(
        code="QuotaInCluster",
        situations=_ANY,
        cause="A quota of a namespace of cluster {cluster} forbids what is to be made there: {quota}.",
        remedy="Have whoever keeps the quota raise it, or free what counts against it; then start the operation again.",
        command="kubectl describe resourcequotas,limitranges --all-namespaces",
        # How Kubernetes words it: the plug-ins ResourceQuota and LimitRanger of its API server.
        on=(
            worded(r"exceeded quota: (?P<quota>[\w.-]{1,253})"),
            worded(r"is forbidden: \W{0,3}(?P<quota>(maximum|minimum) [\w.-]{1,60} usage per \w{1,30} is [\w.]{1,30})"),
        ),
        samples=(
            Sample(
                None,
                'pods "gateway" is forbidden: exceeded quota: compute-quota, requested: cpu=2, used: cpu=7, limited: '
                "cpu=8",
                quoted=False,
            ),
            Sample(None, 'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2', quoted=False),
        ),
        documentation="https://learn.microsoft.com/azure/aks/operator-best-practices-scheduler",
    ),
    Entry(
        code="WebhookNotReady",
        situations=_ANY,
        cause="A webhook of cluster {cluster} has no pod that answers yet, and nothing is made there without it.",
        remedy="Wait until the pods of the service in Azure's words run; then start the operation again.",
        command="kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        # AML-Kubernetes issue 297.
        on=(
            worded(
                r"no endpoints available for service"
                r"|fail(?:ed|ure) (?:to call|calling) webhook.{0,600}(?:connection refused|connect: no route|deadline "
                r"exceeded|eof\b|service unavailable|timeout|not found|certificate)"
            ),
        ),
        samples=(
            Sample(
                "ExtensionOperationFailed",
                "failed calling webhook: failed to call webhook: no endpoints available for service "
                '"azureml-ingress-nginx-controller-admission"',
            ),
            Sample(
                None,
                'Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": Post '
                '"https://x.azureml.svc:443/": dial tcp 10.0.0.1:443: connect: connection refused',
                quoted=False,
            ),
        ),
        transient=True,
        documentation=TROUBLESHOOT_EXTENSION,
    ),
)
