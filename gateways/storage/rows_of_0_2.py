"""Rows of release 0.2.0 and before, which had no schema version and used the names of the HTTP API.

Their columns are brought into the form that ``record_rows`` reads now. What those rows kept in other places is moved:
the URL of Azure's operation and the mark of a failure stood in the value of a step, and so did what a step that waits
had seen so far.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

from domain.operation.codec import CodecError

JSON_COLUMNS = frozenset({"requestedBy", "made", "operationUrls"})
_Columns = Mapping[str, Any]
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
# Names that are more than another spelling of today's.
_OPERATION = {"made": "created"}
_STEP = {"error": "problem", "startedDateTime": "started", "finishedDateTime": "finished"}
# Steps whose value is what they left; that of the others is what their next attempt is to know.
_OVER = frozenset({"Succeeded", "Skipped"})


def operation(columns: _Columns) -> dict[str, Any]:
    """The columns of an operation as they are stored now. Raises CodecError when they are not of such a row."""
    try:
        return _operation(columns)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CodecError(f"a row of release 0.2.0 or before cannot be understood ({type(error).__name__})") from None


def acceptance(accepted: _Columns) -> dict[str, Any]:
    """What a claim says that its operation was accepted as. Raises CodecError when it is none of those releases."""
    try:
        return {**_renamed(accepted), "requested_by": _renamed(accepted["requestedBy"])}
    except (AttributeError, KeyError, TypeError) as error:
        raise CodecError(f"a claim of release 0.2.0 or before cannot be understood ({type(error).__name__})") from None


def _operation(columns: _Columns) -> dict[str, Any]:
    now = _renamed(columns, _OPERATION)
    steps = [dict(step) for step in columns["steps"]]
    urls = {step["name"]: step["value"]["operationUrl"] for step in steps if step["value"].get("operationUrl")}
    now["operation_urls"] = {**urls, **(columns.get("operationUrls") or {})}
    now["requested_by"] = _renamed(columns["requestedBy"])
    now["cancel"] = _if_any(columns.get("cancel"), _renamed)
    now["problem"] = _if_any(columns.get("problem"), _problem)
    now["questions"] = [_question(question) for question in columns.get("questions") or ()]
    now["steps"] = [_step(step) for step in steps]
    now["result"] = _if_any(columns.get("result"), functools.partial(_result, columns))
    return now


def _step(step: _Columns) -> dict[str, Any]:
    now = _renamed(step, _STEP)
    # The first releases kept one intent of a step at most.
    kept = step["intents"] if "intents" in step else [step["intent"]] if step["intent"] else []
    now["intents"] = [_renamed(intent) for intent in kept]
    now["problem"] = _if_any(step["error"], _problem)
    value = {name: kept for name, kept in step["value"].items() if name not in ("operationUrl", "failedBefore")}
    now["failed_before"] = bool(step["value"].get("failedBefore"))
    over = step["status"] in _OVER
    now["value"], now["progress"] = (_value(step["name"], value), {}) if over else ({}, _names(value))
    return now


def _value(step: str, value: _Columns) -> dict[str, Any]:
    """What a step left, under the names of the types in ``domain/operation/results.py``."""
    now = _names(value)
    if step == "resolve" and now.get("cluster"):
        now["cluster"] = _names(now["cluster"])
    if step == "snapshot":
        return _names(value.get("snapshot") or {})
    if step == "plan" and value:
        return _plan(value)
    return now


def _plan(plan: _Columns) -> dict[str, Any]:
    return {**plan, "changes": [_names(change) for change in plan["changes"]]}


def _result(columns: _Columns, result: _Columns) -> dict[str, Any]:
    """A result with its type, which followed from the kind of operation."""
    if columns.get("planOnly"):
        return {**_plan(result), "type": "plan"}
    if "attached" in result:
        return {**_names(result), "type": "half_reattached"}
    now = {**_names(result), "type": "detached" if columns["kind"] == "detach" else "attached"}
    return {**now, "snapshot": _names(now["snapshot"])} if now.get("snapshot") else now


def _question(question: _Columns) -> dict[str, Any]:
    return {**question, "answered_by": _if_any(question.get("answered_by"), _renamed)}


def _problem(problem: _Columns) -> dict[str, Any]:
    return {**problem, "azure": _if_any(problem.get("azure"), _renamed)}


def _renamed(fields: _Columns, others: Mapping[str, str] | None = None) -> dict[str, Any]:
    return _names({(others or {}).get(name, name): value for name, value in fields.items()})


def _names(fields: _Columns) -> dict[str, Any]:
    return {_CAPITAL.sub(lambda found: f"_{found[1].lower()}", name): value for name, value in fields.items()}


def _if_any(stored: Any, change: Callable[[Any], dict[str, Any]]) -> dict[str, Any] | None:
    return change(stored) if stored else None
