"""The register of steps: one value for each. A step's name is its activity's name, in code, log, record and page.

Orchestrators list these values in the order in which they are taken; activities/registry.py binds to each its work. A
value says what is known of a step without running it: its kind, how long it may take, and which requests need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from domain.arm_ids import CONNECTED_CLUSTER, parse_arm_id
from domain.catalogue.entry import ATTACH, DETACH, EXTENSION, JOB
from domain.catalogue.entry import REQUEST as ANYTHING
from domain.requests.durations import approval_timeout, drain_deadline

Request = Mapping[str, Any]

WAKE = "wake"  # The event that wakes a waiter early.
MINUTE, HOUR = 60.0, 3600.0
# A step ends with what it has to say at the request's own deadline; this is for a step that did not get to it.
_MARGIN = timedelta(hours=1)


def _always(request: Request) -> bool:
    return True


def _no_longer(request: Request) -> float | None:
    return None


@dataclass(frozen=True)
class Step:
    """One step of an operation. ``kind`` is do, until or ask; ``bound`` is its deadline in seconds after its start.

    ``needed`` tells whether a request needs the step: one that does not is accepted without it. ``longer`` is the
    bound, in seconds, where the request itself says how long. ``situation`` is what the words of its errors are about.
    ``always`` steps are taken after a failure too: they tell the end and give back what is held. ``undo`` steps are
    taken after a failure only. A step that is not ``cancelable`` is seen through although a cancel was asked for.
    """

    name: str
    kind: str
    bound: float
    needed: Callable[[Request], bool] = _always
    longer: Callable[[Request], float | None] = _no_longer
    situation: str = ANYTHING
    always: bool = False
    undo: bool = False
    cancelable: bool = True


def do(
    name: str,
    *,
    within: float = 30 * MINUTE,
    needed: Callable[[Request], bool] = _always,
    situation: str = ANYTHING,
    always: bool = False,
    cancelable: bool = True,
) -> Step:
    """One idempotent activity, retried while it answers again. What can wait for long is an until."""
    return Step(name, "do", within, needed, situation=situation, always=always, cancelable=cancelable)


def until(
    name: str,
    *,
    within: float,
    needed: Callable[[Request], bool] = _always,
    longer: Callable[[Request], float | None] = _no_longer,
    situation: str = ANYTHING,
    cancelable: bool = True,
) -> Step:
    """A condition: an activity that looks, polled until it answers something else than again; ``wake`` wakes it."""
    return Step(name, "until", within, needed, longer, situation, cancelable=cancelable)


def undo(name: str, *, within: float, needed: Callable[[Request], bool] = _always) -> Step:
    """An until that reverts, after a failure, what this operation made."""
    return Step(name, "until", within, needed, undo=True)


def ask(name: str, *, within: float, longer: Callable[[Request], float | None] = _no_longer) -> Step:
    """Wait for a person's decision: an until over the decision's row, so that a lost event costs minutes only."""
    return Step(name, "ask", within, longer=longer)


def _is_whole(request: Request) -> bool:
    """Whether a request says all of what is to be attached. A reattach's is merged with what its resolve finds."""
    return "clusterId" in request


def _on_arc(request: Request) -> bool:
    return not _is_whole(request) or parse_arm_id(str(request["clusterId"])).resource_type == CONNECTED_CLUSTER


def _asks(field: str) -> Callable[[Request], bool]:
    return lambda request: bool(request.get(field))


def _cleans_up(option: str) -> Callable[[Request], bool]:
    return lambda request: bool((request.get("cleanUp") or {}).get(option))


def _instance_types(request: Request) -> bool:
    return not _is_whole(request) or bool(request.get("instanceTypes") or request.get("defaultInstanceType"))


def _compute_identity(request: Request) -> bool:
    return not _is_whole(request) or bool(request.get("identity"))


def _smoke_test(request: Request) -> bool:
    return request.get("smokeTest") == "training"


def _waits_for_jobs(request: Request) -> bool:
    """Whether jobs are given time to end: those that came at the last moment too."""
    return (request.get("workloads") or {}).get("policy") in ("wait", "cancel")


def _cancels_jobs(request: Request) -> bool:
    return (request.get("workloads") or {}).get("policy") == "cancel"


def _deletes_endpoints(request: Request) -> bool:
    return (request.get("workloads") or {}).get("endpoints") == "delete"


def _while_jobs_end(request: Request) -> float | None:
    if not _waits_for_jobs(request):
        return None
    asks = (request.get("workloads") or {}).get("onDeadline") == "approve"
    answer = approval_timeout(request) if asks else timedelta()
    return (drain_deadline(request) + answer + _MARGIN).total_seconds()


def _while_a_person_answers(request: Request) -> float | None:
    return (approval_timeout(request) + _MARGIN).total_seconds()


# What every operation begins with.
CLAIM = do("claim")
RESOLVE = do("resolve")
PREFLIGHT = do("preflight")
PLAN = do("plan")

# An attach, and the second half of a reattach.
REGISTER_PROVIDERS = do("register_providers", needed=_asks("registerProviders"))
PROVIDERS_REGISTERED = until("providers_registered", within=1 * HOUR, needed=_asks("registerProviders"))
ENSURE_RELAY = do("ensure_relay", needed=_on_arc)
GRANT_WORKSPACE_ROLES = do("grant_workspace_roles")
KEEP_TLS_SECRET = do("keep_tls_secret", needed=_asks("cleanupLegacy"))
CLEANUP_LEGACY = do("cleanup_legacy", needed=_asks("cleanupLegacy"))
# Waits while somebody else changes it, for as long as that may take (activities/extension/install.py says why here).
INSTALL_EXTENSION = do("install_extension", within=5 * HOUR, situation=EXTENSION)
# The service gives up, in most cases after 15 minutes.
EXTENSION_READY = until("extension_ready", within=4 * HOUR, situation=EXTENSION)
COMPONENTS_HEALTHY = until("components_healthy", within=30 * MINUTE)
ENSURE_NAMESPACE = do("ensure_namespace")
APPLY_INSTANCE_TYPES = do("apply_instance_types", needed=_instance_types)
REMOVE_FAILED_COMPUTE = do("remove_failed_compute", situation=DETACH)
FAILED_COMPUTE_GONE = until("failed_compute_gone", within=3 * HOUR, situation=DETACH)
ATTACH_COMPUTE = do("attach_compute", situation=ATTACH)
# Attaches of more than 100 minutes have been reported.
COMPUTE_READY = until("compute_ready", within=3 * HOUR, situation=ATTACH)
GRANT_COMPUTE_ROLES = do("grant_compute_roles", needed=_compute_identity)
SMOKE_TEST = do("smoke_test", needed=_smoke_test, situation=JOB)
SMOKE_TEST_DONE = until("smoke_test_done", within=1 * HOUR, needed=_smoke_test, situation=JOB)

# A detach, and the first half of a reattach.
SURVEY = until("survey", within=14 * HOUR)  # a workspace with a million jobs is read for twelve
APPROVAL = ask("approval", within=24 * HOUR, longer=_while_a_person_answers)
PAUSE_SCHEDULES = do("pause_schedules")
CANCEL_JOBS = do("cancel_jobs", needed=_cancels_jobs)
DRAIN = until("drain", within=24 * HOUR, needed=_waits_for_jobs, longer=_while_jobs_end)
DELETE_ENDPOINTS = do("delete_endpoints", needed=_deletes_endpoints)  # deployments first
ENDPOINTS_GONE = until("endpoints_gone", within=4 * HOUR, needed=_deletes_endpoints)
SNAPSHOT = do("snapshot")
DETACH_COMPUTE = do("detach_compute", situation=DETACH)  # It goes back to drain, and waits for no job itself.
COMPUTE_GONE = until("compute_gone", within=12 * HOUR, situation=DETACH, cancelable=False)  # Azure cancels no detach.
FIND_ORPHANS = do("find_orphans", cancelable=False)
REMOVE_INSTANCE_TYPES = do("remove_instance_types", needed=_cleans_up("instanceTypes"), cancelable=False)
REMOVE_EXTENSION = do("remove_extension", needed=_cleans_up("extension"), cancelable=False)
EXTENSION_GONE = until("extension_gone", within=2 * HOUR, needed=_cleans_up("extension"), cancelable=False)
REMOVE_ROLES = do("remove_roles", needed=_cleans_up("roleAssignments"), cancelable=False)
RESUME_SCHEDULES = replace(do("resume_schedules"), undo=True)

# After a failed or cancelled attach.
UNDO_SMOKE_TEST = undo("undo_smoke_test", within=30 * MINUTE, needed=_smoke_test)
UNDO_COMPUTE = undo("undo_compute", within=12 * HOUR)
UNDO_INSTANCE_TYPES = undo("undo_instance_types", within=30 * MINUTE, needed=_asks("instanceTypes"))
UNDO_NAMESPACE = undo("undo_namespace", within=1 * HOUR, needed=_asks("createNamespace"))
UNDO_EXTENSION = undo("undo_extension", within=2 * HOUR)
UNDO_ROLES = undo("undo_roles", within=1 * HOUR, needed=_asks("grantRoles"))
UNDO_RELAY = undo("undo_relay", within=1 * HOUR, needed=_on_arc)

# It informs: what comes of it ends nothing, and a cancel comes too late for what is attached.
READ_BY_SDK = do("read_by_sdk", cancelable=False)

# What every operation ends with.
RECORD = do("record", within=15 * MINUTE, always=True)
NOTIFY = do("notify", within=15 * MINUTE, always=True)
RELEASE = do("release", within=15 * MINUTE, always=True)

# Every step of this module, by its name.
BY_NAME: Mapping[str, Step] = {each.name: each for each in list(globals().values()) if isinstance(each, Step)}


def not_needed(request: Request) -> tuple[str, ...]:
    """Names of the steps that an operation is accepted without: its request does not need them."""
    return tuple(step.name for step in BY_NAME.values() if not step.needed(request))


def bound_of(request: Request, name: str, bound: float) -> float:
    """The deadline of a step, in seconds after its start; ``bound`` is the orchestrator's."""
    step = BY_NAME.get(name)
    longer = step.longer(request) if step is not None else None
    return bound if longer is None else longer


def situation_of(name: str) -> str:
    """What a step of that name is about; REQUEST when the words of its errors mean nothing special."""
    step = BY_NAME.get(name)
    return step.situation if step is not None else ANYTHING
