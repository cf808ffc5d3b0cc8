"""One world of the month: what people and tools do there, by chance and by what they find."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from local.app_client import AppError
from local.stack import Stack
from local.world import ENGINEER
from tests.faults.evidence import Head
from tests.month.calendar import HOUR, Place
from tests.oracle.attachments import spec_of

_TAGS = "/providers/Microsoft.Resources/tags/default"
# Simulated seconds between two things that happen in a world, at least; and after which a tool that has dropped the
# tags puts them back.
_LEAST, _PUT_BACK = 900.0, 400.0


class Life:
    """Does in one world what is due there; ``done`` counts what it did, ``due`` is when the next thing happens.

    ``every`` is how many simulated seconds lie between two things on average.
    """

    def __init__(self, stack: Stack, place: Place, seed: int, begin: datetime, every: float) -> None:
        self.place = place
        self.done: Counter[str] = Counter()
        self._stack = stack
        self._chance = random.Random(f"life {seed} {place.number}")
        self._seed = seed
        self._every = every
        self._number = 0
        self._tags: dict[str, str] = {}
        self._put_back = False
        self.due = begin + timedelta(seconds=self._chance.uniform(0, 2 * HOUR))

    def live(self, now: datetime, heads: Mapping[str, Head]) -> None:
        """Do the next thing, whatever of it the app and Azure take; ``heads`` are the records there are."""
        pause = max(_LEAST, self._chance.expovariate(1 / self._every))
        mine = [head for head in heads.values() if head.compute_id.lower() == self.place.compute.lower()]
        mine.sort(key=lambda head: str(head.row["created_time"]))
        if self._put_back:
            self._put_back = False
            self._tag(self._wanted(), told=True)
        elif self.place.tagged and self._chance.random() < 0.7:
            pause = self._live_by_tags() or pause
        else:
            self._live_by_requests(mine)
        self.due = now + timedelta(seconds=pause)

    # -- requests ----------------------------------------------------------------------------------------------------

    def _live_by_requests(self, mine: list[Head]) -> None:
        live = next((head for head in mine if not head.final), None)
        if live is not None:
            self._answer(live)
            return
        last = mine[-1] if mine else None
        if last is not None and last.status != "Succeeded" and self._chance.random() < 0.4:
            self._say(last, "retry", "?mode=undo" if self._chance.random() < 0.3 else "")
        elif self._stack.azure.resource(self.place.compute) is None:
            self._ask("attach", self._attach_body())
        else:
            self._use()
            kind = self._chance.choices(("detach", "reattach", "attach"), (14, 4, 1))[0]
            bodies = {"detach": self._detach_body, "reattach": self._reattach_body, "attach": self._attach_body}
            self._ask(kind, bodies[kind]())

    def _answer(self, live: Head) -> None:
        """Say something to an operation at work: an answer to what it asks, a cancel, or nothing."""
        if live.status == "NeedsApproval":
            verdict = self._chance.choices(("approve", "reject", ""), (6, 2, 2))[0]
            if verdict:
                self._try(verdict, lambda: self._stack.approver.answer(live.id, verdict, "a person").status)
        elif self._chance.random() < 0.3:
            self._say(live, "cancel")

    def _use(self) -> None:
        """Have somebody work on the compute, more often than not."""
        if self._chance.random() < 0.6:
            self._number += 1
            lasts = self._chance.uniform(600.0, 8 * HOUR)
            name = f"train-{self.place.number}-{self._number}"
            self._stack.azure.submit_job(
                self.place.workspace, name, computeId=self.place.compute, status="Running", endsAfterSeconds=lasts
            )

    def _attach_body(self) -> dict[str, Any]:
        body: dict[str, Any] = {**self._names(), "clusterId": self.place.cluster}
        if self._chance.random() < 0.5:
            body["grantRoles"] = True
        if self._chance.random() < 0.4:
            body |= {"namespace": f"team-{self.place.number}", "createNamespace": True}
        if self._chance.random() < 0.4:
            body["instanceTypes"] = [{"name": "small", **spec_of("small")}]
        if self._chance.random() < 0.2:
            body["onFailure"] = "keep"
        return body

    def _detach_body(self) -> dict[str, Any]:
        policy = self._chance.choices(("wait", "refuse", "cancel"), (5, 2, 2))[0]
        body: dict[str, Any] = {**self._names(), "workloads": {"policy": policy, "deadline": "PT12H"}}
        if self._chance.random() < 0.15:
            body |= {"approval": "required", "approvalTimeout": "PT6H"}
        if self._chance.random() < 0.6:
            options = ("roleAssignments", "instanceTypes", "extension")
            body["cleanUp"] = {option: self._chance.random() < 0.6 for option in options}
        return body

    def _reattach_body(self) -> dict[str, Any]:
        return {**self._names(), "workloads": {"policy": "wait", "deadline": "PT12H"}}

    def _names(self) -> dict[str, Any]:
        return {"workspaceId": self.place.workspace, "computeName": self.place.compute_name}

    def _ask(self, kind: str, body: dict[str, Any]) -> None:
        self._number += 1
        operation_id = f"{kind}-{self._seed}-{self.place.number}-{self._number}"
        headers = {"Operation-Id": operation_id}
        self._try(kind, lambda: self._stack.app.call("POST", f"/{kind}", body, headers).status)

    def _say(self, head: Head, verb: str, query: str = "") -> None:
        body = {"reason": "a person"}
        path = f"/operations/{head.id}/{verb}{query}"
        self._try(verb + query, lambda: self._stack.app.call("POST", path, body).status)

    def _try(self, what: str, call: Any) -> None:
        """Count what came of a call: taken, refused, or not answered."""
        try:
            status = call()
        except (OSError, AppError):
            status = 0
        self.done[what if status in (200, 202) else f"{what} refused" if 400 <= status < 500 else f"{what} lost"] += 1

    # -- tags --------------------------------------------------------------------------------------------------------

    def _wanted(self) -> dict[str, str]:
        return {"moor-workspace": self.place.workspace, "moor-compute": self.place.compute_name}

    def _live_by_tags(self) -> float | None:
        """Set the tags, or remove them; a tool that only drops them is back soon: after how many seconds."""
        told = self._chance.random() < 0.6
        if not self._tags:
            self._tag(self._wanted(), told=told)
            return None
        self._tag({}, told=told)
        self._put_back = self._chance.random() < 0.25
        return _PUT_BACK if self._put_back else None

    def _tag(self, tags: dict[str, str], *, told: bool) -> None:
        """Change the tags; ``told``: an event reports it, otherwise it is lost."""
        if told:
            body = {"operation": "Replace", "properties": {"tags": tags}}
            answer = self._stack.azure.arm("PATCH", self.place.cluster + _TAGS, body, client_id=ENGINEER)
            if answer.status != 200:
                self.done["tags refused"] += 1
                return
        else:
            gone = {name: None for name in self._tags if name not in tags}
            self._stack.azure.change(self.place.cluster, {"tags": {**tags, **gone}})
        self._tags = tags
        self.done[("tag" if tags else "untag") + ("" if told else ", event lost")] += 1
