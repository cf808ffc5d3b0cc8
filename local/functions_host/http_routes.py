"""Route templates and their matching, as the host's ASP.NET Core router treats functions' routes.

Functions are tried in the order of their names (ordinal, any case); the first template that matches, passes its
constraints and takes the method wins. There is no specificity, and a wrong method is a 404.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from .route_constraints import Constraint, make_constraint


class RouteError(Exception):
    """A template that the real host refuses at start."""


@dataclass(frozen=True)
class Parameter:
    """One ``{name}`` of a template."""

    name: str
    constraints: tuple[Constraint, ...] = ()
    optional: bool = False
    default: str | None = None
    catch_all: bool = False


Part = str | Parameter


@dataclass(frozen=True)
class Route:
    """A compiled route of one function."""

    function: str
    template: str
    segments: tuple[tuple[Part, ...], ...]
    methods: frozenset[str] | None

    def match(self, method: str, segments: Sequence[str]) -> dict[str, str | None] | None:
        """Route values when path and method fit, else None. An absent optional value is None."""
        if self.methods is not None and method.upper() not in self.methods:
            return None
        return _match_segments(self.segments, segments)


def compile_route(function: str, template: str, methods: Sequence[str] | None, prefix: str) -> Route:
    """Compile a function's route under ``prefix``; an empty template means the function's name.

    Raises RouteError, with the router's text, for a template that is not valid.
    """
    full = f"{prefix}/{template or function}" if prefix else (template or function)
    try:
        segments = _parse(full)
    except ValueError:
        raise RouteError(
            f"An error occurred while creating the route with name '{function}' and template '{full}'."
        ) from None
    return Route(function, full, segments, None if methods is None else frozenset(m.upper() for m in methods))


def split_path(raw_path: str) -> list[str]:
    """The decoded segments of a raw request path; one trailing slash is ignored."""
    segments = resolve_path(raw_path).split("/")[1:]
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
        piece if index % 2 else unquote_to_bytes(piece).decode("utf-8", "replace") for index, piece in enumerate(pieces)
    )


def _parse(template: str) -> tuple[tuple[Part, ...], ...]:
    if template.startswith("/"):
        raise ValueError("leading slash")
    trimmed = template.removesuffix("/")
    if "?" in re.sub(r"\{[^{}]*(?:\{\{|\}\}|[^{}])*\}", "", trimmed):
        raise ValueError("question mark in a literal")
    segments = tuple(_parse_segment(segment) for segment in _split_segments(trimmed))
    names = [part.name.lower() for segment in segments for part in segment if isinstance(part, Parameter)]
    if len(names) != len(set(names)):
        raise ValueError("repeated parameter")
    for index, segment in enumerate(segments):
        catch_all = any(isinstance(part, Parameter) and part.catch_all for part in segment)
        if catch_all and (index < len(segments) - 1 or len(segment) > 1):
            raise ValueError("catch-all not last")
    return segments


def _split_segments(template: str) -> list[str]:
    """Split at slashes that stand outside of braces (a regex constraint may hold slashes)."""
    segments, depth, current = [], 0, ""
    position = 0
    while position < len(template):
        pair = template[position : position + 2]
        if depth and pair in ("{{", "}}"):
            current += pair
            position += 2
            continue
        character = template[position]
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "/" and depth == 0:
            segments.append(current)
            current = ""
        else:
            current += character
        position += 1
    if depth:
        raise ValueError("unclosed brace")
    segments.append(current)
    if any(not segment for segment in segments):
        raise ValueError("empty segment")
    return segments


def _parse_segment(segment: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    position = 0
    while position < len(segment):
        if segment[position] == "}":
            raise ValueError("stray brace")
        if segment[position] != "{":
            end = segment.find("{", position)
            end = len(segment) if end < 0 else end
            if "}" in segment[position:end]:
                raise ValueError("stray brace")
            parts.append(segment[position:end])
            position = end
            continue
        end = _closing_brace(segment, position)
        if parts and isinstance(parts[-1], Parameter):
            raise ValueError("two parameters side by side")
        parts.append(_parse_parameter(segment[position + 1 : end]))
        position = end + 1
    for index, part in enumerate(parts):
        if isinstance(part, Parameter) and part.optional and len(parts) > 1:
            dot_before = index > 0 and isinstance(parts[index - 1], str) and parts[index - 1] == "."
            if index != len(parts) - 1 or not dot_before:
                raise ValueError("optional parameter inside a segment")
    return tuple(parts)


def _closing_brace(segment: str, start: int) -> int:
    position = start + 1
    while position < len(segment):
        if segment[position : position + 2] in ("{{", "}}"):
            position += 2
        elif segment[position] == "}":
            return position
        elif segment[position] == "{":
            break
        else:
            position += 1
    raise ValueError("unclosed brace")


def _parse_parameter(text: str) -> Parameter:
    catch_all = text.startswith("*")
    text = text.removeprefix("*").removeprefix("*") if catch_all else text
    match = re.match(r"[^:=?*{}/]+", text)
    if not match:
        raise ValueError("parameter without a name")
    name, rest = match.group(), text[match.end() :]
    constraints: list[Constraint] = []
    while rest.startswith(":"):
        constraint, rest = _take_constraint(rest[1:])
        constraints.append(make_constraint(constraint.replace("{{", "{").replace("}}", "}")))
    default = None
    if rest.startswith("="):
        default, rest = rest[1:], ""
        if default.endswith("?"):
            raise ValueError("optional with a default")
    if rest not in ("", "?"):
        raise ValueError("unexpected text in a parameter")
    return Parameter(name, tuple(constraints), optional=rest == "?", default=default, catch_all=catch_all)


def _take_constraint(text: str) -> tuple[str, str]:
    """The constraint at the start of ``text`` and what follows; parentheses protect their content."""
    depth = 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return text[: position + 1], text[position + 1 :]
        elif depth == 0 and (character in ":=" or (character == "?" and position == len(text) - 1)):
            return text[:position], text[position:]
    return text, ""


def _match_segments(template: Sequence[tuple[Part, ...]], path: Sequence[str]) -> dict[str, str | None] | None:
    values: dict[str, str | None] = {}
    for index, segment in enumerate(template):
        single = segment[0] if len(segment) == 1 else None
        if isinstance(single, Parameter) and single.catch_all:
            rest = "/".join(path[index:])
            if not _accept(values, single, rest or None):
                return None
            return values
        if index >= len(path):
            if not isinstance(single, Parameter) or not _accept(values, single, None):
                return None
            continue
        if not path[index] or not _match_segment(segment, path[index], values):
            return None
    return values if len(path) <= len(template) else None


def _match_segment(segment: tuple[Part, ...], text: str, values: dict[str, str | None]) -> bool:
    if len(segment) == 1:
        part = segment[0]
        return part.lower() == text.lower() if isinstance(part, str) else _accept(values, part, text)
    found = _match_complex(segment, text)
    if found is None and isinstance(segment[-1], Parameter) and segment[-1].optional:
        found = _match_complex(segment[:-2], text)
    if found is None:
        return False
    for part in segment:
        if isinstance(part, Parameter) and not _accept(values, part, found.get(part.name)):
            return False
    return True


def _match_complex(segment: tuple[Part, ...], text: str) -> dict[str, str] | None:
    """Match literals from the right, so that the last dot of ``{name}.{ext}`` splits, as the router does."""
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
    if value is not None and not all(constraint(value) for constraint in parameter.constraints):
        return False
    if value is None and parameter.constraints and not parameter.optional:
        return False
    values[parameter.name] = value
    return True


def find_route(routes: Sequence[Route], method: str, raw_path: str) -> tuple[Route, Mapping[str, str | None]] | None:
    """The first route that takes the request; ``routes`` must be in the host's order."""
    segments = split_path(raw_path)
    for route in routes:
        values = route.match(method, segments)
        if values is not None:
            return route, values
    return None
