"""Routes of ARM paths."""

from __future__ import annotations

from packages.simulated_azure.arm.call import Reply
from packages.simulated_azure.arm.routing import Route, Router, crud


def test_routes_match_in_any_letter_case() -> None:
    def handler(call: object) -> Reply:
        return Reply()

    one = "/subscriptions/{subscription}/things/{name}"
    router = Router(
        [
            *crud(one, "My.Kind/things", get=handler, delete=handler),
            Route(
                "GET", "{scope*}/providers/My.Kind/notes", "My.Kind/notes", handler, "My.Kind/notes/read", "{scope*}"
            ),
        ]
    )
    found = router.match("GET", "/SUBSCRIPTIONS/S1/Things/Name")
    assert found is not None
    assert found.params == {"subscription": "S1", "name": "Name"}
    assert (found.action, found.scope) == ("My.Kind/things/read", "/subscriptions/S1/things/Name")
    nested = router.match("GET", "/subscriptions/S1/things/x/providers/my.kind/notes")
    assert nested is not None
    assert nested.scope == "/subscriptions/S1/things/x"
    assert router.match("PUT", "/subscriptions/S1/things/x") is None
    assert router.methods("/subscriptions/S1/things/x") == ["DELETE", "GET"]
    assert router.match("GET", "/subscriptions/S1/things/x/y") is None
