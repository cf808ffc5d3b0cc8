"""Step tables of earlier orchestration versions: what they started continues as it began (host.json, defaultVersion).

An instance has the version that was the default when it was started. Its history holds that version's steps, and
replays with no others. A table may go once no instance of its version can be under way any more.
"""

from __future__ import annotations

from collections.abc import Sequence

from azure.durable_functions import DurableOrchestrationContext

from orchestrators.run import (
    HOUR,
    MINUTE,
    Step,
    do,
    undo,
    until,
)

_END = (
    do("record", within=15 * MINUTE, always=True),
    do("notify", within=15 * MINUTE, always=True),
    do("release", within=15 * MINUTE, always=True),
)

ATTACH_1_0 = (
    do("claim"),
    do("resolve"),
    do("preflight"),
    do("register_providers", within=1 * HOUR),
    do("ensure_relay"),
    do("grant_workspace_roles"),
    do("install_extension", within=5 * HOUR),
    until("extension_ready", within=4 * HOUR),
    until("components_healthy", within=30 * MINUTE),
    do("ensure_namespace"),
    do("apply_instance_types"),
    do("attach_compute"),
    until("compute_ready", within=3 * HOUR),
    do("grant_compute_roles"),
    undo("undo_compute", within=12 * HOUR),
    undo("undo_instance_types", within=30 * MINUTE),
    undo("undo_namespace", within=1 * HOUR),
    undo("undo_extension", within=2 * HOUR),
    undo("undo_roles", within=1 * HOUR),
    undo("undo_relay", within=1 * HOUR),
    *_END,
)
DETACH_1_0 = (
    do("claim"),
    do("resolve"),
    do("survey"),
    do("detach_compute"),
    until("compute_gone", within=12 * HOUR, cancelable=False),
    *_END,
)
ATTACH_PLAN_1_0 = (do("resolve"), do("preflight"), do("plan"), _END[0])
DETACH_PLAN_1_0 = (do("resolve"), do("survey"), do("plan"), _END[0])


def steps_of(
    context: DurableOrchestrationContext, present: Sequence[Step], version_1_0: Sequence[Step]
) -> Sequence[Step]:
    """The steps of the version that the instance was started with."""
    return version_1_0 if context.version == "1.0" else present
