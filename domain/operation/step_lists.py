"""The ordered steps of each kind of operation, of this release and of those before it.

An operation is begun with its list in the record, and is taken through it by an orchestrator. What may run is decided
by both (``next_step``): an orchestrator that somebody else has started finds nothing else to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from domain.operation.steps import (
    APPLY_INSTANCE_TYPES,
    APPROVAL,
    ATTACH_COMPUTE,
    CANCEL_JOBS,
    CLAIM,
    CLEANUP_LEGACY,
    COMPONENTS_HEALTHY,
    COMPUTE_GONE,
    COMPUTE_READY,
    DELETE_ENDPOINTS,
    DETACH_COMPUTE,
    DRAIN,
    ENDPOINTS_GONE,
    ENSURE_NAMESPACE,
    ENSURE_RELAY,
    EXTENSION_GONE,
    EXTENSION_READY,
    FAILED_COMPUTE_GONE,
    FIND_ORPHANS,
    GRANT_COMPUTE_ROLES,
    GRANT_WORKSPACE_ROLES,
    INSTALL_EXTENSION,
    KEEP_TLS_SECRET,
    NOTIFY,
    PAUSE_SCHEDULES,
    PLAN,
    PREFLIGHT,
    PROVIDERS_REGISTERED,
    READ_BY_SDK,
    RECORD,
    REGISTER_PROVIDERS,
    RELEASE,
    REMOVE_EXTENSION,
    REMOVE_FAILED_COMPUTE,
    REMOVE_INSTANCE_TYPES,
    REMOVE_ROLES,
    RESOLVE,
    RESUME_SCHEDULES,
    SMOKE_TEST,
    SMOKE_TEST_DONE,
    SNAPSHOT,
    SURVEY,
    UNDO_COMPUTE,
    UNDO_EXTENSION,
    UNDO_INSTANCE_TYPES,
    UNDO_NAMESPACE,
    UNDO_RELAY,
    UNDO_ROLES,
    UNDO_SMOKE_TEST,
    Step,
)

ATTACH = (
    CLAIM,
    RESOLVE,
    PREFLIGHT,  # before anything is changed
    REGISTER_PROVIDERS,
    PROVIDERS_REGISTERED,
    ENSURE_RELAY,  # Azure Arc only: the extension is given its connection string
    GRANT_WORKSPACE_ROLES,  # first: what is granted spreads while the extension is being installed
    CLEANUP_LEGACY,  # when asked: the extension fails over what v1 has left
    INSTALL_EXTENSION,
    EXTENSION_READY,
    COMPONENTS_HEALTHY,  # what Azure calls installed may still be starting
    ENSURE_NAMESPACE,  # an attach does not look for it, and jobs fail without it
    APPLY_INSTANCE_TYPES,  # the cluster learns what they are some minutes after the installation
    REMOVE_FAILED_COMPUTE,  # of this attach: compute_ready goes back to it
    FAILED_COMPUTE_GONE,
    ATTACH_COMPUTE,  # needs the extension: without it Azure fails the attach under false names
    COMPUTE_READY,
    GRANT_COMPUTE_ROLES,  # the compute's own identity exists once the compute does
    SMOKE_TEST,  # when asked: a small job proves what Azure only says
    SMOKE_TEST_DONE,
    READ_BY_SDK,  # before record: what only informs fails no attach that is good
    UNDO_SMOKE_TEST,  # first: a job that runs keeps the compute from being detached
    UNDO_COMPUTE,  # the compute first: Azure ML reaches it through the extension
    UNDO_ROLES,  # as soon as the compute is gone: nothing that follows may keep them where they are
    UNDO_INSTANCE_TYPES,
    UNDO_NAMESPACE,
    UNDO_EXTENSION,
    UNDO_RELAY,  # after the extension, which works with it
    RECORD,
    NOTIFY,  # after record: subscribers read the final state
    RELEASE,  # after record: a claim is stale only once its operation is final
)
ATTACH_PLAN = (RESOLVE, PREFLIGHT, PLAN, RECORD)

DETACH = (
    CLAIM,
    RESOLVE,  # a compute that is gone already is success: the steps that follow find nothing to do
    PREFLIGHT,  # before anything is changed
    SURVEY,  # right before the call: what it cannot tell counts as busy
    APPROVAL,
    PAUSE_SCHEDULES,  # or they start what has just been waited for
    CANCEL_JOBS,
    DRAIN,  # goes back to cancel what has come since
    DELETE_ENDPOINTS,
    ENDPOINTS_GONE,
    SNAPSHOT,  # so that it can be attached again as it was
    DETACH_COMPUTE,  # looks once more, and goes back if a job has come since
    COMPUTE_GONE,
    REMOVE_ROLES,  # as soon as the compute is gone: nothing that follows may keep them where they are
    FIND_ORPHANS,  # a job may have slipped in after that look
    REMOVE_INSTANCE_TYPES,  # these three when asked; like the roles only what Moor itself made
    REMOVE_EXTENSION,
    EXTENSION_GONE,
    RESUME_SCHEDULES,  # after a failure: the compute stays
    RECORD,
    NOTIFY,  # after record: subscribers read the final state
    RELEASE,  # after record: a claim is stale only once its operation is final
)
DETACH_PLAN = (RESOLVE, PREFLIGHT, SURVEY, PLAN, RECORD)

REATTACH = (
    CLAIM,
    RESOLVE,  # what is to be attached: what exists, with the request's changes; kept, for it will be gone
    PREFLIGHT,  # of both halves, before anything is changed
    SURVEY,
    APPROVAL,
    PAUSE_SCHEDULES,
    CANCEL_JOBS,
    DRAIN,
    DELETE_ENDPOINTS,
    ENDPOINTS_GONE,
    DETACH_COMPUTE,  # looks once more, and goes back if a job has come since
    COMPUTE_GONE,
    FIND_ORPHANS,
    # The second half. Nothing of it is reverted: nothing is left to go back to, and a retry continues it.
    ENSURE_RELAY,
    GRANT_WORKSPACE_ROLES,
    KEEP_TLS_SECRET,  # before the clean-up takes v1's own
    CLEANUP_LEGACY,
    INSTALL_EXTENSION,
    EXTENSION_READY,
    COMPONENTS_HEALTHY,
    ENSURE_NAMESPACE,
    APPLY_INSTANCE_TYPES,
    REMOVE_FAILED_COMPUTE,
    FAILED_COMPUTE_GONE,
    ATTACH_COMPUTE,
    COMPUTE_READY,
    GRANT_COMPUTE_ROLES,
    READ_BY_SDK,
    replace(RESUME_SCHEDULES, undo=False, always=True),  # the compute is back, or has not gone
    RECORD,
    NOTIFY,
    RELEASE,
)
REATTACH_PLAN = (RESOLVE, PREFLIGHT, SURVEY, PLAN, RECORD)

# Of this release, by the name of the orchestrator that takes them.
PRESENT: Mapping[str, Sequence[Step]] = {
    "attach": ATTACH,
    "attach_plan": ATTACH_PLAN,
    "detach": DETACH,
    "detach_plan": DETACH_PLAN,
    "reattach": REATTACH,
    "reattach_plan": REATTACH_PLAN,
}
# Lists of earlier orchestration versions: what they started continues as it began (host.json, defaultVersion). An
# instance has the version that was the default when it was started. Its history holds that version's steps, and
# replays with no others. So a release that changes a list raises ``defaultVersion`` and keeps the list as it was here,
# under every version that had it; it may go once no instance of its version can be under way any more.
EARLIER: Mapping[str, Mapping[str, Sequence[Step]]] = {}  # No release before 3.0 has run on Azure.


def steps_of(version: str | None, orchestrator: str) -> Sequence[Step]:
    """The steps of an orchestrator in that orchestration version: those of today, unless a list of it is kept here."""
    return EARLIER.get(version or "", {}).get(orchestrator, PRESENT.get(orchestrator, ()))
