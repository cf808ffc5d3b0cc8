from __future__ import annotations

import pytest

from domain.problems import answers_in
from domain.redaction import scrub

URL = "https://management.azure.com/subscriptions/s/providers/P/locations/l/computeOperationsStatus/id"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            f"see {URL}?api-version=2025-12-01&service=new&t=6388&c=MIIa-_&s=b%2Bc=&h=d for more",
            f"see {URL}?api-version=2025-12-01&service=new&t=REDACTED&c=REDACTED&s=REDACTED&h=REDACTED for more",
        ),
        (
            "Max retries exceeded with url: /x?s=abc (Caused by z)",
            "Max retries exceeded with url: /x?s=REDACTED (Caused by z)",
        ),
        ('{"url": "https://x/y?sig=abc"}', '{"url": "https://x/y?sig=REDACTED"}'),
        ('{"url": "https://x/y?a=b\\u0026sig=abc"}', '{"url": "https://x/y?a=REDACTED\\u0026sig=REDACTED"}'),
        ("<a href='https://x/y?a=b&amp;h=abc'>", "<a href='https://x/y?a=REDACTED&amp;h=REDACTED'>"),
        ("API-Version is plain: ?API-VERSION=1", "API-Version is plain: ?API-VERSION=1"),
        ("no URL: a=b, c = d, who?", "no URL: a=b, c = d, who?"),
        ("", ""),
    ],
)
def test_what_a_query_holds_is_left_out(said: str, kept: str) -> None:
    assert scrub(said) == kept
    assert scrub(kept) == kept


def test_errors_of_azure_are_scrubbed_at_every_depth() -> None:
    inner = {"code": "B", "message": f"poll {URL}?h=secret"}
    found = answers_in({"code": "A", "message": f"poll {URL}?s=secret", "details": [inner], "innererror": inner})
    assert len(found) == 3
    assert "secret" not in str(found)
