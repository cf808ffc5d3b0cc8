"""The documents that pass between the extension and the app, with their times translated and all else left alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_plus

from packages.functions_host.extension.moments import Moments

# What the SDK puts between the text of an orchestrator's failure and its state.
STATE_LABEL = "$OutOfProcData$:"
_EVENT_TIMES = ("Timestamp", "FireAt", "ScheduledTime", "ScheduledStartTime")
_STATUS_TIMES = ("createdTime", "lastUpdatedTime")
_QUERY_TIMES = ("createdtimefrom", "createdtimeto")
_RETRY_SPANS = ("firstRetryIntervalInMilliseconds", "maxRetryIntervalInMilliseconds", "retryTimeoutInMilliseconds")


class Translation:
    """Translates one kind of document per method."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments

    def context(self, text: str) -> str:
        """The context that the extension hands to an orchestrator. Raises ValueError when it is none."""
        context = json.loads(text)
        self._history(context["history"])
        return json.dumps(context, indent=2, ensure_ascii=False)

    def state(self, text: str) -> str:
        """The state that an orchestrator returns; a text that is none is left for the extension to judge."""
        try:
            state = json.loads(text)
        except ValueError:
            return text
        return json.dumps(self._state(state), ensure_ascii=False)

    def failure(self, message: str) -> str:
        """The message of a failed orchestrator, in which the SDK has put the state."""
        before, label, rest = message.partition(STATE_LABEL)
        try:
            state, end = json.JSONDecoder().raw_decode(rest)
        except ValueError:
            return message
        return before + label + json.dumps(self._state(state), ensure_ascii=False) + rest[end:]

    def answer(self, body: bytes) -> bytes:
        """A JSON answer of the management API: a status, a list of them, or something without times."""
        try:
            found = json.loads(body)
        except ValueError:
            return body
        for status in found if isinstance(found, list) else [found]:
            if isinstance(status, dict):
                _replace(status, _STATUS_TIMES, self._moments.simulated_second)
                self._history(status.get("historyEvents"))
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()

    def query(self, raw: str) -> str:
        """The query of a request to the management API."""
        return "&".join(self._parameter(part) for part in raw.split("&"))

    def _parameter(self, part: str) -> str:
        name, _, value = part.partition("=")
        if name.lower() not in _QUERY_TIMES:
            return part
        try:
            return f"{name}={quote(self._moments.real(unquote_plus(value)), safe='')}"
        except ValueError:
            return part

    def _history(self, events: object) -> None:
        for event in events if isinstance(events, list) else []:
            if isinstance(event, dict):
                _replace(event, _EVENT_TIMES, self._moments.simulated)

    def _state(self, state: Any) -> Any:
        if isinstance(state, dict):
            self._actions(state.get("actions"))
        return state

    def _actions(self, actions: object) -> None:
        """Actions, the lists of them in a state, and those inside compound ones."""
        for action in actions if isinstance(actions, list) else []:
            if isinstance(action, list):
                self._actions(action)
            elif isinstance(action, dict):
                _replace(action, ("fireAt",), self._moments.real)
                self._spans(action.get("retryOptions"))
                self._actions(action.get("compoundActions"))

    def _spans(self, options: object) -> None:
        for name in _RETRY_SPANS if isinstance(options, dict) else ():
            span = options.get(name)  # type: ignore[attr-defined]
            if isinstance(span, (int, float)) and span > 0:
                options[name] = self._moments.real_milliseconds(span)  # type: ignore[index]


def _replace(document: dict[str, Any], names: tuple[str, ...], translate: Callable[[str], str]) -> None:
    """Translate the members of these names that hold time stamps."""
    for name in names:
        text = document.get(name)
        if isinstance(text, str):
            try:
                document[name] = translate(text)
            except ValueError:
                continue
