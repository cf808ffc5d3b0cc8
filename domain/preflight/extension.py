"""The cluster's extension: missing, as asked for, or in conflict with the request."""

from __future__ import annotations

from domain.preflight.check import Judgement, fails_as, passes, warns
from domain.preflight.facts import Facts, known


def extension(facts: Facts) -> Judgement:
    """The cluster's extension: to be installed or changed, adopted, or a conflict."""
    found = known(facts.extension, "the cluster's extension")
    if found.problem is not None:
        return fails_as(found.problem)
    if found.waits is not None:
        return warns(
            f"The extension is not at rest: an attach waits ({found.waits}).",
            "Do nothing.",
            f"az k8s-extension list --cluster-name {facts.cluster_id.name} --resource-group "
            f"{facts.cluster_id.resource_group} --cluster-type {facts.cluster_id.resource_type.rsplit('/', 1)[-1]}",
        )
    return passes(f"The extension is to be {found.change}." if found.change else "The extension exists as asked for.")
