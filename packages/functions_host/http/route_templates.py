"""Parses route templates by the rules of ASP.NET Core's RoutePatternParser and RouteParameterParser."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packages.functions_host.http.route_constraints import Constraint, make_constraint


@dataclass(frozen=True)
class Parameter:
    """One ``{name}`` of a template."""

    name: str
    constraints: tuple[Constraint, ...] = ()
    optional: bool = False
    default: str | None = None
    catch_all: bool = False


Part = str | Parameter
Segment = tuple[Part, ...]

_TOKEN = re.compile(r"(?P<literal>(?:\{\{|\}\}|[^{}/])+)|(?P<parameter>\{(?:\{\{|\}\}|[^{}])*\}(?!\}))|(?P<slash>/)")


def parse_template(template: str) -> tuple[Segment, ...]:
    """The segments of a template, each a row of literals and parameters; braces are escaped by doubling.

    Raises ValueError with the reason.
    """
    segments: list[list[Part]] = [[]]
    position = 0
    while position < len(template):
        match = _TOKEN.match(template, position)
        if not match:
            raise ValueError("There is an incomplete parameter in the route template")
        position = match.end()
        if match["slash"]:
            if not segments[-1]:
                raise ValueError("The route template separator character '/' cannot appear consecutively")
            segments.append([])
        elif match["literal"]:
            if "?" in match["literal"]:
                raise ValueError("A literal section cannot contain the '?' character")
            segments[-1].append(_unescape(match["literal"]))
        else:
            segments[-1].append(_parse_parameter(_unescape(match["parameter"][1:-1])))
    if not segments[-1]:
        segments.pop()
    _check(segments)
    return tuple(tuple(segment) for segment in segments)


def _unescape(text: str) -> str:
    return text.replace("}}", "}").replace("{{", "{")


def _check(segments: list[list[Part]]) -> None:
    names: set[str] = set()
    for number, segment in enumerate(segments):
        for index, part in enumerate(segment):
            if not isinstance(part, Parameter):
                continue
            if part.name.lower() in names:
                raise ValueError(f"The route parameter name '{part.name}' appears more than one time")
            names.add(part.name.lower())
            if part.catch_all and (len(segment) > 1 or number < len(segments) - 1):
                raise ValueError("A catch-all parameter can only appear as the last segment")
            if index and isinstance(segment[index - 1], Parameter):
                raise ValueError("A path segment cannot contain two consecutive parameters")
            if part.optional and len(segment) > 1 and (index < len(segment) - 1 or segment[index - 1] != "."):
                raise ValueError("Only a period (.) can precede an optional parameter")


def _parse_parameter(text: str) -> Parameter:
    """What stands between the braces: stars, name, constraints, default, question mark."""
    if text.startswith("*") and text.endswith("?"):
        raise ValueError("A catch-all parameter cannot be marked optional")
    stars = 2 if text.startswith("**") else 1 if text.startswith("*") else 0
    optional = text.endswith("?")
    body = text[stars:].removesuffix("?") if optional else text[stars:]
    # A name may begin with a delimiter: the first character never ends it.
    match = re.search(r"[:=]", body[1:])
    end = match.start() + 1 if match else len(body)
    name = body[:end]
    if not name or re.search(r"[/{}?*]", name):
        raise ValueError(f"The route parameter name '{name}' is invalid")
    constraints, default = _parse_constraints(body[end:])
    if optional and default is not None:
        raise ValueError("An optional parameter cannot have a default value")
    made = tuple(make_constraint(constraint) for constraint in constraints)
    return Parameter(name, made, optional, default, catch_all=stars > 0)


def _parse_constraints(text: str) -> tuple[list[str], str | None]:
    """Split ``:a:b(1,2)=default``; a closing parenthesis counts only before ``:``, ``=`` or the end."""
    constraints: list[str] = []
    start, position, inside = 0, 0, False
    while position < len(text):
        character = text[position]
        if inside:
            if character == ")" and text[position + 1 : position + 2] in ("", ":", "="):
                inside = False
            elif character in ":=" and text.find(")", position) < 0:
                inside = False
                continue
        elif character == "(":
            inside = True
        elif character in ":=":
            if position > start:
                constraints.append(text[start:position])
            if character == "=":
                return constraints, text[position + 1 :]
            start = position + 1
        position += 1
    if start < len(text):
        constraints.append(text[start:])
    return constraints, None
