"""Step lists of earlier orchestration versions: what they started continues as it began (host.json, defaultVersion).

An instance has the version that was the default when it was started. Its history holds that version's steps, and
replays with no others. So a release that changes a list raises ``defaultVersion`` and keeps the list as it was here,
under every version that had it; it may go once no instance of its version can be under way any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from azure.durable_functions import DurableOrchestrationContext

from domain.operation.steps import Step

EARLIER: Mapping[str, Mapping[str, Sequence[Step]]] = {}  # No release before 3.0 has run on Azure.


def steps_of(context: DurableOrchestrationContext, orchestrator: str, present: Sequence[Step]) -> Sequence[Step]:
    """The steps of the version that the instance was started with: those of today, unless a list of it is kept here."""
    return EARLIER.get(context.version or "", {}).get(orchestrator, present)
