"""Microsoft.Resources/tags/default: the tags of any resource, changed past its own provider (`az tag update`).

Source: the REST reference of the Tags API at a scope (2021-04-01 and later) and the limits of the article on tags. A
write is announced as ``Microsoft.Resources/tags/write`` and not as a write of the resource's provider. Resources only:
tags of subscriptions and resource groups are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packages.simulated_azure.arm import long_running, resources
from packages.simulated_azure.arm.call import Call, Reply
from packages.simulated_azure.arm.errors import bad_request
from packages.simulated_azure.arm.routing import Route
from packages.simulated_azure.providers import system_data

TYPE = "Microsoft.Resources/tags"
_SUFFIX = f"/providers/{TYPE}/default"
_SCOPE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/{resource*}"
_MOST, _LONGEST_NAME, _LONGEST_VALUE = 50, 512, 256
_FORBIDDEN = frozenset("<>%&\\?/")

Tags = dict[str, str]


def routes() -> list[Route]:
    """The routes of this provider."""
    handlers = {
        "GET": (_get, "read"),
        "PUT": (_put, "write"),
        "PATCH": (_patch, "write"),
        "DELETE": (_delete, "delete"),
    }
    return [
        Route(method, f"{_SCOPE}{_SUFFIX}", TYPE, handler, f"{TYPE}/{verb}", _SCOPE)
        for method, (handler, verb) in handlers.items()
    ]


def _get(call: Call) -> Reply:
    return _shown(_tagged(call))


def _put(call: Call) -> Reply:
    """Put these tags in the place of all that there are."""
    return _write(call, _tagged(call), _given(call))


def _patch(call: Call) -> Reply:
    """Merge tags into those that there are, replace them all, or take some away by name, or by name and value."""
    resource, given = _tagged(call), _given(call)
    operation = str(call.object_body().get("operation") or "").lower()
    if operation not in ("merge", "replace", "delete"):
        raise bad_request("InvalidTagsPatchOperation", "The property 'operation' has to be Merge, Replace or Delete.")
    if operation == "replace":
        return _write(call, resource, given)
    named = {name.lower(): value for name, value in given.items()}
    before: Tags = resource["body"].get("tags") or {}
    if operation == "delete":
        # A name without a value takes the tag away whatever it says.
        kept = {k: v for k, v in before.items() if k.lower() not in named or named[k.lower()] not in ("", v)}
        return _write(call, resource, kept)
    # Names are without regard to case, and keep the one that they were made with.
    merged = {k: named.pop(k.lower(), v) for k, v in before.items()}
    return _write(call, resource, merged | {k: v for k, v in given.items() if k.lower() in named})


def _delete(call: Call) -> Reply:
    _write(call, _tagged(call), {})
    return Reply(200)


def _write(call: Call, resource: resources.Resource, tags: Tags) -> Reply:
    if len(tags) > _MOST:
        raise bad_request("InvalidTagCount", f"A resource has at most {_MOST} tags; {len(tags)} were given.")
    resource["body"]["tags"] = tags
    system_data.stamp(call, resource["body"])
    resources.save(call.world, resource)
    below = call.world.settings["events"]["tagsSubject"] == "tags"
    long_running.announce(call, {"id": resource["id"] + (_SUFFIX if below else "")})
    return _shown(resource)


def _tagged(call: Call) -> resources.Resource:
    return resources.require(call, call.path[: -len(_SUFFIX)])


def _given(call: Call) -> Tags:
    properties = call.object_body().get("properties")
    tags = properties.get("tags") if isinstance(properties, Mapping) else None
    if not isinstance(tags, dict):
        raise bad_request("InvalidRequestContent", "The property 'properties.tags' has to be an object.")
    for name, value in tags.items():
        if not name or len(name) > _LONGEST_NAME or _FORBIDDEN & {*name}:
            raise bad_request("InvalidTagName", f"The tag name '{name}' is not valid.")
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            raise bad_request("InvalidTagValue", f"The value of the tag '{name}' is not a text of {_LONGEST_VALUE}.")
    return dict(tags)


def _shown(resource: resources.Resource) -> Reply:
    tags: dict[str, Any] = resource["body"].get("tags") or {}
    body = {"id": resource["id"] + _SUFFIX, "name": "default", "type": TYPE, "properties": {"tags": tags}}
    return Reply(200, body)
