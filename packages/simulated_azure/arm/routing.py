"""Which handler serves an ARM path; literal segments match in any letter case."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from packages.simulated_azure.arm.call import Handler

# collection: what the caller may not read is left out of a list instead of refusing it; handler: it checks alone,
# because the body or what exists decides.
Access = Literal["resource", "collection", "handler"]


@dataclass(frozen=True)
class Route:
    """One operation of one resource type.

    ``pattern`` has ``{name}`` for one segment and ``{name*}`` for several. ``action`` is the RBAC operation, such as
    ``Microsoft.ContainerService/managedClusters/read``; ``scope`` is what it is checked over (params in braces).
    """

    method: str
    pattern: str
    resource_type: str
    handler: Handler
    action: str
    scope: str
    access: Access = "resource"


@dataclass(frozen=True)
class Match:
    """A route and the parameters found in the path."""

    route: Route
    params: dict[str, str]

    @property
    def action(self) -> str:
        """The RBAC operation of this request."""
        return self.route.action.format(**self.params)

    @property
    def scope(self) -> str:
        """The scope the action is checked over."""
        return self.route.scope.replace("*}", "}").format(**self.params)


class Router:
    """An ordered list of routes; the first that fits serves."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(re.compile(_expression(route.pattern), re.IGNORECASE), route) for route in routes]

    def match(self, method: str, path: str) -> Match | None:
        """The route for a request, or None."""
        for expression, route in self._routes:
            if route.method == method:
                found = expression.fullmatch(path)
                if found:
                    return Match(route, found.groupdict())
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that a path has; empty when nothing is served there."""
        return sorted({route.method for expression, route in self._routes if expression.fullmatch(path)})

    def types(self) -> set[str]:
        """Every resource type served, lower case."""
        return {route.resource_type.lower() for _, route in self._routes}


def crud(
    pattern: str,
    resource_type: str,
    *,
    get: Handler | None = None,
    put: Handler | None = None,
    patch: Handler | None = None,
    delete: Handler | None = None,
) -> list[Route]:
    """The routes of one resource with the RBAC actions that ARM derives from the method."""
    verbs = (("GET", get, "read"), ("PUT", put, "write"), ("PATCH", patch, "write"), ("DELETE", delete, "delete"))
    return [
        Route(method, pattern, resource_type, handler, f"{resource_type}/{verb}", pattern)
        for method, handler, verb in verbs
        if handler is not None
    ]


def location_read(pattern: str, resource_type: str, handler: Handler) -> Route:
    """The route of a status or a result below a provider's ``locations``, which needs a right over the subscription.

    ``pattern`` ends with ``locations/<location>/<kind>/{operation}``; the action is
    ``<namespace>/locations/<kind>/read`` (articles/role-based-access-control/permissions/*.md).
    """
    subscription, _, rest = pattern.partition("/providers/")
    namespace, _, _, kind, _ = rest.split("/")
    return Route("GET", pattern, resource_type, handler, f"{namespace}/locations/{kind}/read", subscription)


def _expression(pattern: str) -> str:
    parts = []
    for token in re.split(r"(\{\w+\*?\})", pattern):
        if token.startswith("{"):
            name = token.strip("{}*")
            parts.append(f"(?P<{name}>.+)" if token.endswith("*}") else f"(?P<{name}>[^/]+)")
        else:
            parts.append(re.escape(token))
    return "".join(parts)
