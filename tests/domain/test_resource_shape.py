"""Parts of resources that are no objects."""

from __future__ import annotations

from typing import Any

import pytest

from domain.resource_shape import with_objects


def test_what_is_of_the_shape_stays_and_what_is_null_counts_as_absent() -> None:
    body = {"id": None, "properties": {"traffic": None, "x": [7]}, "identity": None, "tags": {}}
    assert with_objects(body) == {"id": None, "properties": {"traffic": None, "x": [7]}, "tags": {}}
    assert with_objects({}) == {}


@pytest.mark.parametrize("odd", [True, 7, 1.5, "x", [], [{}], ""])
@pytest.mark.parametrize(
    "place", ["properties", "identity", "tags", "properties/traffic", "identity/userAssignedIdentities"]
)
def test_what_is_no_object_is_refused_by_its_name(place: str, odd: Any) -> None:
    outer, _, inner = place.partition("/")
    with pytest.raises(ValueError, match=f"the {inner or outer} of a resource are no object"):
        with_objects({outer: {inner: odd} if inner else odd})
