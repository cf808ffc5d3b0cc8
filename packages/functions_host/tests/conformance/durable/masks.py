"""Ids and times are not the same twice; everything else must be."""

from __future__ import annotations

import re

_TIMESTAMP = re.compile(r'("Timestamp": ?|"ScheduledTime": ?|"createdTime": ?|"lastUpdatedTime": ?)"[^"]*"')
_ANY_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_HEX = re.compile(r"\b[0-9a-f]{32}\b")


def stamps(text: str) -> str:
    """Without time stamps of events and status bodies; times that are data (FireAt, outputs) stay."""
    return _TIMESTAMP.sub(r'\1"<time>"', text)


def times(text: str) -> str:
    """Without any time."""
    return _ANY_TIME.sub("<time>", text)


def ids(text: str) -> str:
    """Without generated ids; with and without dashes are told apart."""
    return _HEX.sub("<hex>", _UUID.sub("<uuid>", text))


def frame_places(text: str) -> str:
    """Without the source places that some .NET frames have and others, of the same method, have not."""
    return re.sub(r" in /_/src/[\w./]+:line \d+", "", text)


def net_stack(text: str) -> str:
    """Without the StackTrace member of an error body: frames of the published .NET binaries."""
    return re.sub(r'"StackTrace":"(?:[^"\\]|\\.)*"', '"StackTrace":"<frames>"', text)


def known_functions(text: str) -> str:
    """Without the names that the failure of an unknown orchestrator lists: in no order, and of another day."""
    return re.sub(r"(known orchestrator functions: )'\w+'(?:, '\w+')*\.", r"\1<names>.", text)
