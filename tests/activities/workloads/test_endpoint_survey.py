"""A workspace with more endpoints than one activity gets through: read over several, and no look is cut short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from activities.runtime.step import StepAtWork
from activities.workloads.endpoint_survey import served_by
from activities.workloads.endpoints import endpoints_gone
from activities.workloads.schedules import planned_pauses
from activities.workloads.uses import survey, uses_of
from domain.operation.outcomes import Done, Outcome, Stop
from domain.workloads.endpoints_seen import FRESH
from gateways.azure.arm import ArmAnswer, ArmError
from gateways.storage.record_rows import head_row
from tests.activities.workloads.job_list import MANAGER, TARGET, Detach, JobList
from tests.making import WORKSPACE_ID

ONLINE, BATCH = f"{WORKSPACE_ID}/onlineEndpoints", f"{WORKSPACE_ID}/batchEndpoints"
LONGEST = 60.0


@dataclass
class Workspace(JobList):
    """``online``: by name the compute. ``batch``: by name the computes of its deployments."""

    size: int = 10
    online: dict[str, str] = field(default_factory=dict)
    batch: dict[str, list[str]] = field(default_factory=dict)
    refused: Callable[[str], int] = lambda url: 0

    def _answer(self, url: str) -> ArmAnswer:
        parts = urlsplit(url)
        items = self._items(parts.path)
        if items is None:
            return super()._answer(url)
        self.calls.append(url)
        self.now += self.seconds
        self.before(url)
        if status := self.refused(url):
            raise ArmError(status, "Refused", "no")
        start = int(parse_qs(parts.query).get("$skip", ["0"])[0])
        body: dict[str, Any] = {"value": items[start : start + self.size]}
        if start + self.size < len(items):
            body["nextLink"] = f"{MANAGER}{parts.path}?$skip={start + self.size}&sig=secret"
        return ArmAnswer(200, body)

    def _items(self, path: str) -> list[dict[str, Any]] | None:
        if path == ONLINE:
            return [_item(f"{ONLINE}/{name}", compute) for name, compute in self.online.items()]
        if path == BATCH:
            return [_item(f"{BATCH}/{name}", None) for name in self.batch]
        if path.startswith(f"{BATCH}/"):
            name = path.removeprefix(f"{BATCH}/").partition("/")[0]
            if name not in self.batch:
                raise ArmError(404, "NotFound", "no such endpoint")
            return [_item(f"{BATCH}/{name}/deployments/d{n}", each) for n, each in enumerate(self.batch[name])]
        return None


def _item(resource_id: str, compute: str | None) -> dict[str, Any]:
    properties = {"provisioningState": "Succeeded", **({"compute": compute} if compute else {})}
    return {"id": resource_id, "name": resource_id.rpartition("/")[2], "properties": properties}


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Workspace:
    workspace = Workspace().install(monkeypatch)
    assert isinstance(workspace, Workspace)
    return workspace


def crowd(azure: Workspace, online: int = 25, batch: int = 200) -> set[str]:
    """So many endpoints, a few of them on the compute; the names of the uses."""
    azure.online = {f"o{n}": TARGET if n % 10 == 3 else "/elsewhere" for n in range(online)}
    azure.batch = {f"b{n}": [TARGET if n % 50 == 7 else "/elsewhere"] * (n % 13) for n in range(batch)}
    there = {name for name, compute in azure.online.items() if compute == TARGET}
    return there | {f"{name}/d{n}" for name, all_ in azure.batch.items() for n, c in enumerate(all_) if c == TARGET}


def look(found: list[str], *, again: bool = False) -> Callable[[StepAtWork], Outcome]:
    def drain(step: StepAtWork) -> Outcome:
        found[:] = [use.name for use in served_by(step, TARGET, again)]
        return Done()

    return drain


def test_no_activity_of_a_survey_takes_longer_than_a_minute(azure: Workspace) -> None:
    names = crowd(azure)
    detach = Detach(azure)
    told = detach.see(survey)
    assert isinstance(told, Stop)
    assert {finding.message.split(" ")[1] for finding in told.findings} == names
    assert max(detach.seconds) < LONGEST
    assert len(detach.seconds) > 5


def test_a_small_workspace_is_read_at_once_and_nothing_is_remembered(azure: Workspace) -> None:
    names = crowd(azure, 5, 8)
    found: list[str] = []
    detach = Detach(azure)
    detach.see(look(found))
    assert (set(found), len(detach.seconds), detach.operation.jobs) == (names, 1, None)


def test_where_every_page_takes_the_longest_that_it_may_it_goes_on_nevertheless(azure: Workspace) -> None:
    names = crowd(azure, 25, 30)
    azure.seconds = 29.0
    found: list[str] = []
    detach = Detach(azure)
    detach.see(look(found))
    assert (set(found), max(detach.seconds) < LONGEST) == (names, True)


def test_links_of_next_pages_stand_with_the_signed_urls_only(azure: Workspace) -> None:
    crowd(azure)
    detach = Detach(azure)
    for _ in range(4):
        detach.take(look([]))
        row = head_row(detach.operation)
        shown = {name: value for name, value in row.items() if not name.startswith("operation_urls")}
        assert "sig=secret" not in str(shown)
    assert any("sig=secret" in str(value) for name, value in row.items() if name.startswith("operation_urls"))


def test_what_was_read_to_its_end_holds_for_a_while_and_no_longer(azure: Workspace) -> None:
    crowd(azure)
    found: list[str] = []
    detach = Detach(azure)
    detach.see(look(found))
    azure.calls.clear()
    detach.see(look(found))
    assert azure.calls == []
    azure.online["late"] = TARGET
    azure.now += FRESH.total_seconds()
    detach.see(look(found))
    assert "late" in found


def test_who_has_changed_them_sees_what_has_become_of_that(azure: Workspace) -> None:
    crowd(azure)
    found: list[str] = []
    detach = Detach(azure)
    detach.see(look(found))
    detach.see(look(found, again=True))
    azure.online.clear()
    azure.batch = {name: ["/elsewhere"] for name in azure.batch}
    detach.see(look(found, again=True))
    assert found == []


def test_an_endpoint_that_is_deleted_meanwhile_is_no_failure_and_one_that_comes_is_seen(azure: Workspace) -> None:
    crowd(azure, 5, 60)

    def change(url: str) -> None:
        if urlsplit(url).path == f"{BATCH}/b20/deployments":
            azure.batch.pop("b25", None)
            azure.batch["b99"] = [TARGET]

    azure.before = change
    found: list[str] = []
    Detach(azure).see(look(found))
    assert "b99/d0" in found
    assert not [name for name in found if name.startswith("b25/")]


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_link_that_azure_takes_no_longer_has_the_reading_begin_again_three_times_at_most(
    azure: Workspace, status: int
) -> None:
    names = crowd(azure)
    left = [0]

    def refuse(url: str) -> int:
        if "$skip" in url and urlsplit(url).path == BATCH and left[0]:
            left[0] -= 1
            return status
        return 0

    azure.refused = refuse
    found: list[str] = []
    detach = Detach(azure)
    detach.take(look([]))  # What is read at once keeps no link.
    left[0] = 2
    detach.see(look(found))
    assert set(found) == names
    left[0] = 99
    azure.now += 2 * FRESH.total_seconds()
    with pytest.raises(ArmError):
        detach.see(look(found))


@pytest.mark.parametrize("path", [ONLINE, BATCH, f"{BATCH}/b20/deployments"])
def test_a_list_that_never_ends_is_an_error_and_no_empty_list(azure: Workspace, path: str) -> None:
    crowd(azure, 25, 60)
    azure.batch["b20"] = [TARGET] * 25
    answer = Workspace._answer

    def circle(url: str) -> ArmAnswer:
        told = answer(azure, url)
        if urlsplit(url).path == path:
            return ArmAnswer(200, {**told.body, "nextLink": f"{MANAGER}{path}?$skip=10"})
        return told

    azure._answer = circle  # type: ignore[method-assign]
    detach = Detach(azure)
    with pytest.raises(ArmError) as refused:
        detach.see(look([]))
    assert refused.value.code == "TooMuch"
    assert max(detach.seconds) < LONGEST


@pytest.mark.parametrize("item", [7, None, "x", {"id": "nonsense"}, {}])
def test_an_entry_of_another_shape_is_no_endpoint_less(azure: Workspace, item: Any) -> None:
    """What is none of a batch endpoint could be one: it is unknown then, and never passed over."""
    crowd(azure, 5, 60)
    items = Workspace._items

    def odd(path: str) -> list[Any] | None:
        found = items(azure, path)
        return [*found, item] if found is not None and path == BATCH else found

    azure._items = odd  # type: ignore[method-assign]
    with pytest.raises(ArmError):
        Detach(azure).see(look([]))


def test_later_steps_go_by_the_same_reading(azure: Workspace) -> None:
    crowd(azure)
    detach = Detach(azure)
    detach.see(survey)
    azure.calls.clear()

    def pause_schedules(step: StepAtWork) -> Outcome:
        planned_pauses(step)
        return Done()

    def drain(step: StepAtWork) -> Outcome:
        uses_of(step, TARGET)
        return Done()

    detach.see(pause_schedules)
    detach.see(drain)
    assert not [url for url in azure.calls if "ndpoints" in url]


def test_a_step_that_waits_for_deletions_reads_over_activities_too(azure: Workspace) -> None:
    crowd(azure)
    detach = Detach(azure, workloads={"endpoints": "delete"})
    assert isinstance(detach.see(endpoints_gone), Done)
    assert max(detach.seconds) < LONGEST
