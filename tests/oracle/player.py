"""Plays a world on a shared stack, and keeps what the oracle judges by."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.app_client import Answer as HttpAnswer
from local.app_client import AppError
from local.stack import Stack
from tests.faults.evidence import Head, Tables
from tests.oracle.attaching import ask, attach_first
from tests.oracle.cluster_life import ClusterLife, Seen
from tests.oracle.inventory import Inventories, take_inventory
from tests.oracle.worlds import World

_POLL = 0.3
LONGEST = 400.0
# Simulated seconds. A compute that Azure does not let go is waited for much longer; that is not for here.
_STUCK = 3600.0


@dataclass(frozen=True)
class Said:
    """What somebody said to the app, and what it answered: ``sent`` and ``taken`` are simulated times around it."""

    verb: str
    sent: datetime
    taken: datetime
    status: int


@dataclass
class Story:
    """Everything that is known of a world at the end."""

    world: World
    operation_id: str
    asked: datetime
    said: list[Said] = field(default_factory=list)
    operation: dict[str, Any] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    effects: list[dict[str, Any]] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    in_cluster: list[dict[str, Any]] = field(default_factory=list)
    cluster_seen: Seen = field(default_factory=Seen)
    stock: Inventories | None = None
    cluster: dict[str, Any] | None = None
    # When no host was there to work on it.
    away: list[tuple[datetime, datetime]] = field(default_factory=list)
    unfinished: bool = False
    stuck: bool = False


class Player:
    """One world on its way. ``step`` does what is due now, and answers whether the world has come to its end."""

    def __init__(self, stack: Stack, tables: Tables, world: World) -> None:
        self._stack, self._tables, self._world = stack, tables, world
        self._operation_id = f"{world.name}-{int(time.time())}"
        self._story: Story | None = None
        self._jobs = list(world.jobs)
        self._cluster = ClusterLife(stack, world)
        self._answers = list(world.answers)
        self._due: tuple[str, float] | None = None
        self._question = ""
        self._canceled = world.cancel is None
        self._retried = not world.retry
        self._until = time.monotonic() + LONGEST

    def play(self) -> Story:
        """From the beginning to the end. Raises AttachFailed."""
        world, stock = self._world, None
        if world.attachment is not None:
            stock = attach_first(self._stack, self._tables, world, world.attachment)
            self._until = time.monotonic() + LONGEST
        self._stack.azure.seed(world.azure())
        if self._world.builds_images:
            builds = {"properties": {"imageBuildCompute": self._world.compute_name}}
            self._stack.azure.change(self._world.workspace, builds)
        for job in [job for job in self._jobs if not job.at]:
            self._submit(job)
        self._cluster.live(0.0)
        for fault in self._world.faults:
            self._stack.azure.add_fault(**fault)
        for script in self._world.scripts:
            self._stack.azure.script_operation(**script)
        asked = take_inventory(self._stack, world.place) if stock else None
        self._story = story = Story(self._world, self._operation_id, self._stack.clock.now())
        while not ask(self._stack, "detach", world.body(), self._operation_id):
            time.sleep(_POLL)
        while time.monotonic() < self._until:
            head = self._tables.head(self._operation_id)
            if head is not None and head.at_rest and not self._go_on(head):
                break
            if head is not None:
                if self._is_stuck(head):
                    story.stuck = True
                    break
                self._live(head, (self._stack.clock.now() - story.asked).total_seconds())
            time.sleep(_POLL)
        else:
            story.unfinished = True
        if stock and asked:
            story.stock = Inventories(*stock, asked, take_inventory(self._stack, world.place))
        return self._gathered(story)

    def _submit(self, job: Any) -> None:
        self._jobs.remove(job)
        timing = {} if job.ends_after is None else {"endsAfterSeconds": job.ends_after, "endsAs": job.ends_as}
        self._stack.azure.submit_job(self._world.workspace, job.name, **job.properties, **timing)

    def _live(self, head: Head, age: float) -> None:
        """What happens in the world of an operation of that age, in simulated seconds."""
        for job in [job for job in self._jobs if job.at <= age]:
            self._submit(job)
        self._cluster.live(age)
        if not self._canceled and self._world.cancel is not None and age >= self._world.cancel:
            self._canceled = self._say("cancel") is not None
        if head.status != "NeedsApproval":
            return
        step = next((s["name"] for s in head.steps if s["status"] in ("Waiting", "Running")), "?")
        if step != self._question and self._answers:
            self._question = step
            answer = self._answers.pop(0)
            self._due = (answer.verdict, age + answer.after) if answer.verdict != "silence" else None
        if self._due is not None and age >= self._due[1] and self._say(self._due[0]) is not None:
            self._due = None

    def _is_stuck(self, head: Head) -> bool:
        """Whether the app has been waiting for long in a world in which the compute comes back, or does not go."""
        step = head.step("compute_gone") or {}
        since = step.get("startedDateTime") or step.get("started")
        if not self._world.may_stay or step.get("status") != "Waiting" or since is None:
            return False
        return (self._stack.clock.now() - datetime.fromisoformat(since)).total_seconds() > _STUCK

    def _go_on(self, head: Head) -> bool:
        """Ask once to go on with what has not succeeded."""
        if self._retried or head.status == "Succeeded":
            return False
        said = self._say("retry")
        self._retried = said is not None
        self._question = ""
        return said is None or said.status == 202

    def _say(self, verb: str) -> HttpAnswer | None:
        """The app's answer; None when it is down and has to be told again."""
        assert self._story is not None
        sent = self._stack.clock.now()
        try:
            answer = self._call(verb)
        except OSError:
            # It may have been taken all the same.
            self._story.said.append(Said(verb, sent, self._stack.clock.now(), 0))
            return None
        except AppError:  # It asks nothing, or could not be read: nothing was said.
            return None
        self._story.said.append(Said(verb, sent, self._stack.clock.now(), answer.status))
        return answer if answer.status < 500 else None

    def _call(self, verb: str) -> HttpAnswer:
        if verb in ("approve", "reject"):
            return self._stack.approver.answer(self._operation_id, verb, "a person")
        return self._stack.app.call("POST", f"/operations/{self._operation_id}/{verb}", {"reason": "a person"})

    def _gathered(self, story: Story) -> Story:
        azure, world = self._stack.azure, self._world
        story.operation = self._operation()
        own = [world.workspace, world.cluster]
        if world.attachment is not None:
            own = [f"/subscriptions/{world.place.subscription}/"]
        path = f"^({'|'.join(re.escape(each) for each in own)})"
        # What came before was the attach.
        requests = azure.requests(kind="arm", path=path)
        story.requests = [r for r in requests if datetime.fromisoformat(r["simulatedTime"]) >= story.asked]
        prefix = f"{world.workspace}/".lower()
        story.resources = {r["id"].lower(): r["body"] for r in azure.resources() if r["id"].lower().startswith(prefix)}
        story.effects = [o for o in azure.operations() if o["resourceId"].lower().startswith(prefix)]
        query = f"operation eq '{story.operation_id}'"
        story.claims = [str(row["target"]) for row in self._tables.rows("claims", query)]
        in_cluster = azure.requests(kind="kubernetes", path=f"^{re.escape(world.cluster)}/")
        story.in_cluster = [r for r in in_cluster if datetime.fromisoformat(r["simulatedTime"]) >= story.asked]
        story.cluster_seen = self._cluster.seen
        cluster = azure.resource(world.cluster)
        story.cluster = cluster["body"] if cluster else None
        return story

    def _operation(self) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while True:
            try:
                return self._stack.app.operation(self._operation_id)
            except (OSError, AppError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)
