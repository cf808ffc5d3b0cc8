"""The compute's name, and what has it already."""

from __future__ import annotations

import re

from domain.compute.names import PATTERN
from domain.compute.resource import described_otherwise, difference, state_of
from domain.preflight.check import Judgement, fails, fails_as, passes, warns
from domain.preflight.facts import Facts, known


def compute_name(facts: Facts) -> Judgement:
    """The rules for names of Kubernetes computes."""
    if re.match(PATTERN, facts.compute_name):
        return passes(f"{facts.compute_name} is a valid name for a compute.")
    return fails(
        f"{facts.compute_name} is not a valid name for a Kubernetes compute.",
        "Choose 2 to 16 letters, digits and hyphens, a letter first, no hyphen last.",
    )


def existing_compute(facts: Facts) -> Judgement:
    """A compute of this name: adopted when it is what is asked for, else a conflict."""
    compute = known(facts.compute, "the compute of this name")
    if compute is None:
        return passes(f"The workspace has no compute {facts.compute_name}.")
    if state_of(compute) == "deleting":
        return warns(
            f"A compute {facts.compute_name} is being detached: an attach waits for the end of that.",
            "Do nothing.",
        )
    if facts.reattach:
        return passes(f"The compute {facts.compute_name} exists: it is detached and attached again.")
    problem = difference(compute, str(facts.cluster_id), facts.request, facts.words)
    if problem is not None:
        return fails_as(problem)
    other = described_otherwise(compute, facts.request)
    if other:
        return warns(
            f"The compute {facts.compute_name} exists already and is adopted with its own {other}.",
            "Detach it and attach it again for these to change: a compute cannot be changed in place.",
            f"az resource show --ids {facts.workspace_id}/computes/{facts.compute_name}",
        )
    return passes(f"The compute {facts.compute_name} exists already, on this cluster and namespace: it is adopted.")
