"""The one way from a step into a cluster: take a slot, open its API, or try four times and end the step.

Everything here raises SlotsTaken while others are in clusters: the step asks again (activities/runtime/step.py).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from activities.runtime.slots import SlotsTaken, into
from activities.runtime.step import StepAtWork
from domain.arm_ids import ArmId
from domain.catalogue.azure import admission
from domain.catalogue.entry import REQUEST
from domain.catalogue.explain import cause_of, make_problem, problem_of_cause
from domain.cluster.components import Seen
from domain.cluster.objects import Found, kubectl
from domain.operation.outcomes import Again, Done, Finding, Outcome, Stop
from domain.problems import AzureAnswer
from gateways.azure.arm import ArmError
from gateways.kubernetes import connection, reader
from gateways.kubernetes.api import Api, KubernetesError, Unreachable
from gateways.kubernetes.reader import Answer
from gateways.kubernetes.run_command import StillRunning

logger = logging.getLogger(__name__)

# Preflight has seen this API: it gets a minute to answer again.
ATTEMPTS = 4
PAUSE = 15.0
# The remedy where something cannot be seen from here.
LOOK_ELSEWHERE = "Look from a machine that reaches the cluster."

T = TypeVar("T")


def guarded(work: Callable[[StepAtWork], Outcome]) -> Callable[[StepAtWork], Outcome]:
    """A step's work with the errors of the cluster's API as outcomes."""

    @functools.wraps(work)
    def guard(step: StepAtWork) -> Outcome:
        try:
            return work(step)
        except KubernetesError as error:
            if error.transient:
                return Again(None, f"the cluster's API does not answer ({error.reason})")
            said = AzureAnswer(error.reason, error.message, error.status)
            denied = cause_of(REQUEST, [said], step.facts)
            if denied is not None and denied.entry in admission.ENTRIES:
                problem = problem_of_cause(denied, step.facts)
                return Again(None, problem.message) if problem.transient else Stop(problem)
            key = "KubernetesForbidden" if error.status in (401, 403) else "KubernetesRefused"
            return Stop(make_problem(key, {**step.facts, "said": error.message}))

    return guard


def use_api(
    step: StepAtWork, work: Callable[[Api], Outcome], end: Callable[[Unreachable], Outcome], attempts: int = ATTEMPTS
) -> Outcome:
    """What ``work`` comes to with the API of the operation's cluster; it is closed afterwards.

    Where the API cannot be used from here it is tried so often, and ``end`` says how the step ends then.

    Raises ArmError or KubernetesError.
    """
    with into(step.operation.cluster):
        api = connection.connect(step.operation.cluster)
        if isinstance(api, Unreachable):
            return try_again(step, api, end, attempts)
        with closing(api):
            return work(api)


def try_again(
    step: StepAtWork, why: Unreachable, end: Callable[[Unreachable], Outcome], attempts: int = ATTEMPTS
) -> Outcome:
    """Another attempt at a cluster that cannot be used from here; after the last one ``end`` says how the step ends."""
    if step.tries < attempts:
        tried = f"attempt {step.tries} of {attempts}"
        return Again(PAUSE, f"the cluster cannot be used from here ({tried}): {why.reason}")
    return end(why)


def not_writable(step: StepAtWork, why: Unreachable) -> Stop:
    """The end of a step that is to make objects in a cluster whose API cannot be used from here."""
    problem = make_problem("KubernetesNotWritable", {**step.facts, "said": why.reason})
    return Stop(replace(problem, command=kubectl(step.operation.attach_request)))


def left(step: StepAtWork, why: Unreachable, command: str) -> Done:
    """The end of an undo in a cluster whose API cannot be used from here."""
    told = kept(step, f"What this operation made in the cluster is left: {why.reason}.", command)
    return replace(told, cut_short=True)


def kept(step: StepAtWork, message: str, command: str) -> Done:
    """The end of an undo that leaves what the operation made; ``command`` removes it by hand."""
    finding = Finding(step.call.step, "warning", message, "Remove it by hand if it is not needed.", command)
    return Done(detail="kept", findings=(finding,), skipped=True)


def made_in_cluster(step: StepAtWork, kind: str) -> tuple[str, ...]:
    """Ids of the objects of a type that the operation made."""
    return tuple(made.id for made in step.operation.created if made.type == kind)


def read_api(cluster: ArmId, reading: Callable[[Api], T], otherwise: Callable[[Unreachable], T]) -> T:
    """What ``reading`` says by a cluster's API, ``otherwise`` where that cannot be used from here. Changes nothing.

    Raises ArmError, also when the cluster's API has an outage.
    """
    try:
        with into(cluster):
            api = connection.connect(cluster)
            if isinstance(api, Unreachable):
                return otherwise(api)
            with closing(api):
                return reading(api)
    except KubernetesError as error:
        raise ArmError(error.status, error.reason, error.message, by_cluster=True) from error


def see_components(cluster: ArmId, *, last: bool = False) -> Seen | Unreachable:
    """Namespace azureml, by the API or a command in the cluster. Raises ArmError or KubernetesError.

    ``last``: nobody asks again; a command that has answered nothing yet, or no slot, is as good as no way then.
    """
    try:
        with into(cluster):
            return reader.components(cluster)
    except (SlotsTaken, StillRunning) as busy:
        if not last:
            raise
        return Unreachable(str(busy))


def see_evidence(cluster: ArmId) -> Seen | Unreachable:
    """Namespace azureml, for what it says of a failure: whatever keeps that from being seen is no other failure.

    Raises StillRunning while a command in the cluster has not ended.
    """
    try:
        return see_components(cluster)
    except (SlotsTaken, StillRunning):
        raise  # Nothing is wrong with the cluster: the step asks again.
    except KubernetesError as error:
        return Unreachable(f"its API answered {error}")
    except ArmError as error:
        return Unreachable(f"Azure answered {error}")
    except Exception as error:  # An answer in a shape that nobody foresaw.
        logger.warning("what is in %s was not understood", cluster.name, exc_info=True)
        return Unreachable(f"its answer was not understood ({type(error).__name__})")


def see_namespace(cluster: ArmId, name: str) -> Found | Unreachable | None:
    """A namespace, by the same ways; None when there is none. Raises ArmError or KubernetesError."""
    with into(cluster):
        return reader.namespace(cluster, name)


def see_work(cluster: ArmId, namespace: str, *, last: bool = False) -> Answer:
    """The workloads of a namespace, by the same ways; why they are unknown otherwise. ``last``: nobody asks again.

    Raises ArmError when Azure has an outage.
    """
    try:
        with into(cluster):
            return reader.work_in(cluster, namespace)
    except (SlotsTaken, StillRunning) as busy:
        if not last:
            raise
        return Answer(Unreachable(str(busy)))
