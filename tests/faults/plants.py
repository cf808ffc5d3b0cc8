"""Bugs planted in a copy of the app: what the checker, the driver and the canary must not miss."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from local.processes import REPOSITORY

_APP = (
    *("activities", "domain", "gateways", "operations", "orchestrators", "triggers"),
    *("function_app.py", "host.json"),
)


@dataclass(frozen=True)
class Plant:
    """A bug: what fits ``pattern`` (a regular expression) is replaced by ``new`` in a file of the app."""

    file: str
    pattern: str
    new: str


FORGOTTEN_INTENT = Plant(
    "activities/compute/attach.py", r"    step\.intend\([^\n]*\)\n(?=    answer = arm\.put\([^\n]*_attach_body)", ""
)
KEPT_CLAIM = Plant("activities/lifecycle/claim.py", r"locks\.give_back\(target, step\.operation\.id\)", "assert target")
SECRET_IN_INPUT = Plant(
    "orchestrators/run.py",
    r"(?<=\n)( +)(?=call\[\"bound\"\] = )",
    r'\1call["header"] = __import__("os").environ["IDENTITY_HEADER"]\n\1',
)
SIGNED_URL_IN_DETAIL = Plant(
    "activities/compute/attach.py",
    r"(?<=return Done\()(?=created=made, operation_url=)",
    "detail=answer.operation_url, ",
)
# Found by the oracle (tests/oracle).
PAUSED_COUNTS_AS_ENDED = Plant(
    "domain/workloads/uses.py", r'(?<=FINAL_JOB_STATUSES = frozenset\(\{)"completed"', '"paused", "completed"'
)
UNASKED_CLUSTER = Plant("activities/workloads/uses.py", r"else uses\) \+ in_cluster", "else uses)")
USED_COUNTS_AS_UNUSED = Plant(
    "activities/runtime/dependents.py", r"return (?=f\"The compute [^\n]* uses it)", "assert "
)


def app_with(plant: Plant, folder: Path, *more: Plant) -> Path:
    """A copy of the app with a bug in it, or several. Raises AssertionError when the place for one is not there."""
    for name in _APP:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    for each in (plant, *more):
        file = folder / each.file
        text, planted = re.subn(each.pattern, each.new, file.read_text())
        assert planted == 1, f"{each.file} has changed: plant this bug anew"
        file.write_text(text)
    return folder
