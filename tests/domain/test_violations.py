"""What is wrong with a request, and where it stands."""

from __future__ import annotations

from domain.violations import Refused, Violation, pointer


def test_a_pointer_escapes_what_separates_its_parts() -> None:
    assert pointer([]) == ""
    assert pointer(["a/b", 0, "~1"]) == "/a~1b/0/~01"


def test_a_refusal_is_not_available_yet_only_when_that_is_all() -> None:
    later, bad = Violation("NotAvailableYet", "later", "/a"), Violation("InvalidRequest", "bad", "/b")
    assert Refused([later, later]).code == "NotAvailableYet"
    assert Refused([later, bad]).code == "InvalidRequest"


def test_a_refusal_says_every_violation_with_its_place() -> None:
    refused = Refused(Violation("InvalidRequest", text, f"/{text}") for text in ("a", "b"))
    assert str(refused) == "/a: a; /b: b"
    assert [violation.target for violation in refused.violations] == ["/a", "/b"]
