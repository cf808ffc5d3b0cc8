"""The cluster's own API: whether it can be used from here, the compute's namespace, and instance types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.catalogue.explain import make_problem
from domain.cluster.instance_types import IMPLICIT, difference, spec_of
from domain.cluster.legacy_objects import in_words, kubectl
from domain.cluster.objects import Found, asked_types, made_by_moor
from domain.preflight.check import Judgement, cannot_tell, fails, fails_as, passes, warns
from domain.preflight.facts import Facts, Unread, known
from domain.problems import Problem


def asks_for_objects(facts: Facts) -> bool:
    """Whether the request asks for anything to be made in the cluster."""
    return bool(facts.request.get("createNamespace") or facts.request.get("instanceTypes"))


def cluster_api(facts: Facts) -> Judgement:
    """Whether the app reaches the API and is let in."""
    seen = known(facts.kubernetes, "the cluster's API")
    if seen.unreachable is None:
        return passes("The app reaches the cluster's API.")
    remedy = seen.remedy or "Look from a machine that reaches the cluster."
    if asks_for_objects(facts):
        remedy = "Run the command from a machine that reaches the cluster, then attach without asking for it."
    return cannot_tell(f"The cluster's API cannot be used from here: {seen.unreachable}.", remedy, seen.command)


def namespace(facts: Facts) -> Judgement:
    """The compute's namespace: there, or to be made."""
    seen, name = known(facts.kubernetes, "the cluster's API"), facts.request.get("namespace", "default")
    command = f"kubectl create namespace {name}"
    if seen.unreachable is not None:
        return cannot_tell(
            f"Whether namespace {name} exists cannot be seen from here.",
            "Check that it exists: an attach does not create it, and jobs fail without it.",
            f"kubectl get namespace {name}",
        )
    if seen.phase == "Active":
        return passes(f"Namespace {name} exists.")
    if seen.phase is not None:
        return passes(f"Namespace {name} is {seen.phase}: an attach waits for the end of that.")
    if not facts.request.get("createNamespace"):
        return fails(
            f"The cluster has no namespace {name}; an attach does not create it, and jobs would fail.",
            "Create the namespace, or ask with createNamespace.",
            command,
        )
    if not seen.may_create_namespaces:
        return fails(
            f"The cluster has no namespace {name}, and the app may not create it.",
            "Create it yourself, or give the app's identity a role in the cluster that may; docs/roles.md lists them.",
            command,
        )
    return passes(f"Namespace {name} will be created.")


def instance_types(facts: Facts) -> Judgement:
    """The instance types asked for: there, to be made, or there as somebody else's and different."""
    if not facts.request.get("instanceTypes") and not facts.request.get("defaultInstanceType"):
        return passes("No instance types are asked for.")
    seen = known(facts.kubernetes, "the cluster's API")
    if seen.unreachable is not None:
        return cannot_tell(
            "Which instance types exist cannot be seen from here.",
            "Look from a machine that reaches the cluster.",
            "kubectl get instancetypes",
        )
    if seen.types_problem is not None:
        return fails_as(seen.types_problem)
    return passes("The instance types asked for exist or can be created.")


def legacy_objects(facts: Facts) -> Judgement:
    """Leftovers of Azure ML v1 (azureml-fe), which make an installation of the extension fail (E45004, E45005)."""
    seen = known(facts.kubernetes, "the cluster's API")
    if seen.unreachable is not None or isinstance(seen.legacy, Unread):
        why = seen.legacy.why if isinstance(seen.legacy, Unread) else seen.unreachable
        verb, words = ("delete", "Remove them by hand") if cleans_up(facts) else ("get", "Look")
        return cannot_tell(
            f"Whether Azure Machine Learning v1 has left azureml-fe behind cannot be seen: {why}.",
            f"{words} from a machine that reaches the cluster.",
            kubectl(verb),
        )
    found = seen.legacy.found
    if not found:
        return passes("Azure Machine Learning v1 has left nothing behind.")
    command = kubectl("delete", found)
    if not cleans_up(facts):
        return warns(
            f"Azure Machine Learning v1 has left in the cluster: {in_words(found)}. The extension may fail over them.",
            "When nothing uses them any more, remove them, or ask for it with cleanupLegacy.",
            command,
        )
    if seen.legacy.kept:
        return fails(
            f"The app may not delete, in the cluster: {in_words(seen.legacy.kept)}.",
            "Remove them, or give the app's identity a role in the cluster that may; docs/roles.md lists them.",
            command,
        )
    return passes(f"To be removed, as asked: {in_words(found)}.")


def cleans_up(facts: Facts) -> bool:
    """Whether the request asks for the leftovers to be removed."""
    return bool(facts.request.get("cleanupLegacy"))


def types_refused(request: Mapping[str, Any], there: Mapping[str, Found], words: Mapping[str, str]) -> Problem | None:
    """Why the instance types that a request asks for cannot be, by those of the cluster; None when they can.

    ``words`` are the operation's facts, for the texts of a problem.
    """
    asked = asked_types(request)
    for each in asked:
        found = there.get(each["name"])
        if found is None or made_by_moor(found):
            continue
        differs = difference(spec_of(each), found.spec)
        if differs is not None:
            return make_problem(
                "InstanceTypeDiffers", {**words, "instance_type": str(each["name"]), "difference": differs}
            )
    default = request.get("defaultInstanceType")
    if default and str(default).lower() not in {*there, *(str(each["name"]) for each in asked), IMPLICIT}:
        return make_problem("InstanceTypeMissing", {**words, "instance_type": str(default)})
    return None
