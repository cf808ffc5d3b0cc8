"""Matches requests to functions' routes as the host's ASP.NET Core router does.

Functions are tried in the order of their names (ordinal, any case); the first template that matches, passes its
constraints and takes the method wins. There is no specificity, and a wrong method is a 404.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from packages.functions_host.http.route_templates import Parameter, Segment, parse_template


class RouteError(Exception):
    """A template that the real host refuses at start."""


@dataclass(frozen=True)
class Route:
    """A compiled route of one function; ``methods`` None means all."""

    function: str
    template: str
    segments: tuple[Segment, ...]
    methods: frozenset[str] | None

    def match(self, method: str, path: str) -> dict[str, str | None] | None:
        """Route values when the decoded path and the method fit, else None. An absent optional value is None."""
        if self.methods is not None and method.upper() not in self.methods:
            return None
        return _match(self.segments, path)


def compile_route(function: str, template: str, methods: Sequence[str] | None, prefix: str) -> Route:
    """Compile a function's route under ``prefix``; an empty template means the function's name.

    Raises RouteError, with the router's text, for a template that is not valid.
    """
    own = template or function
    full = f"{prefix}/{own}" if prefix else own
    try:
        segments = parse_template(full)
    except ValueError:
        raise RouteError(
            f"An error occurred while creating the route with name '{function}' and template '{full}'."
        ) from None
    return Route(function, full, segments, None if methods is None else frozenset(m.upper() for m in methods))


def find_route(routes: Sequence[Route], method: str, raw_path: str) -> tuple[Route, Mapping[str, str | None]] | None:
    """The first route that takes the request; ``routes`` must be in the host's order."""
    path = resolve_path(raw_path)
    for route in routes:
        values = route.match(method, path)
        if values is not None:
            return route, values
    return None


def split_path(path: str) -> list[str]:
    """The segments of a decoded path; one trailing slash is ignored."""
    segments = path.split("/")[1:]
    if segments and segments[-1] == "":
        segments.pop()
    return segments


def resolve_path(raw_path: str) -> str:
    """Decode the path and remove dot segments, as Kestrel does before anything else sees it."""
    decoded = unquote_keeping_slash(raw_path)
    kept: list[str] = []
    parts = decoded.split("/")[1:]
    for index, part in enumerate(parts):
        if part not in (".", ".."):
            kept.append(part)
            continue
        if part == ".." and kept:
            kept.pop()
        if index == len(parts) - 1:
            kept.append("")
    return "/" + "/".join(kept)


def unquote_keeping_slash(raw_path: str) -> str:
    """Percent-decode UTF-8 once but leave ``%2F`` as it is, like Kestrel."""
    pieces = re.split(r"(%2[fF])", raw_path)
    return "".join(
        piece if index % 2 else unquote_to_bytes(piece.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
        for index, piece in enumerate(pieces)
    )


def _match(template: Sequence[Segment], path: str) -> dict[str, str | None] | None:
    values: dict[str, str | None] = {}
    requested = split_path(path)
    for index, segment in enumerate(template):
        single = segment[0] if len(segment) == 1 else None
        if index >= len(requested):
            if not isinstance(single, Parameter) or not _accept(values, single, None):
                return None
            continue
        if not requested[index]:
            return None
        if isinstance(single, Parameter) and single.catch_all:
            # To the very end: inner and trailing slashes are part of the value.
            rest = "/".join(path.split("/")[index + 1 :])
            return values if _accept(values, single, rest) else None
        if not _match_segment(segment, requested[index], values):
            return None
    return values if len(requested) <= len(template) else None


def _match_segment(segment: Segment, text: str, values: dict[str, str | None]) -> bool:
    if len(segment) == 1:
        part = segment[0]
        return part.lower() == text.lower() if isinstance(part, str) else _accept(values, part, text)
    found = _match_complex(segment, text)
    last = segment[-1]
    if found is None and isinstance(last, Parameter) and last.optional and not text.endswith("."):
        found = _match_complex(segment[:-2], text)
    if found is None:
        return False
    return all(_accept(values, part, found.get(part.name)) for part in segment if isinstance(part, Parameter))


def _match_complex(segment: Segment, text: str) -> dict[str, str] | None:
    """Parameters take as much as they can from the left, so that the last dot of ``{name}.{ext}`` splits."""
    pattern = "".join(
        re.escape(part) if isinstance(part, str) else f"(?P<p{index}>.+)" for index, part in enumerate(segment)
    )
    match = re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)
    if not match:
        return None
    return {part.name: match[f"p{index}"] for index, part in enumerate(segment) if isinstance(part, Parameter)}


def _accept(values: dict[str, str | None], parameter: Parameter, value: str | None) -> bool:
    """Store a value when its constraints hold; without a value the default or None, if either is allowed."""
    if value is None:
        if parameter.default is None and not parameter.optional and not parameter.catch_all:
            return False
        value = parameter.default
    if value is None:
        if parameter.constraints and not parameter.optional:
            return False
    elif not all(constraint(value) for constraint in parameter.constraints):
        return False
    values[parameter.name] = value
    return True
