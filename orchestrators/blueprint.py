"""Registers the orchestrators under their functions' names."""

from __future__ import annotations

import azure.durable_functions as df

from orchestrators.attach import attach, attach_plan
from orchestrators.cluster_changed import cluster_changed
from orchestrators.detach import detach, detach_plan
from orchestrators.reattach import reattach, reattach_plan
from orchestrators.run import wait_until

ORCHESTRATORS = (
    *(attach, detach, reattach, attach_plan, detach_plan, reattach_plan),
    *(cluster_changed, wait_until),
)

bp = df.Blueprint()
for _orchestrator in ORCHESTRATORS:
    bp.orchestration_trigger(context_name="context")(_orchestrator)
