"""Token buckets as Azure Resource Manager has them since 2024.

One bucket for each principal, subscription and kind of operation; sizes and refill rates from Microsoft's page on
request limits and throttling. Buckets are not kept across a restart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from packages.simulated_azure.arm.errors import ArmError

KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
SINGULAR = {"reads": "read", "writes": "write", "deletes": "delete"}


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """The buckets; time is simulated."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def reset(self) -> None:
        """Fill every bucket."""
        self._buckets.clear()

    def take(self, rules: dict[str, Any], method: str, principal: str, subscription: str, now: float) -> dict[str, str]:
        """Take one token and answer the ``x-ms-ratelimit-remaining-*`` header.

        Raises ArmError 429 with ``Retry-After`` (whole simulated seconds until a token is left) when the bucket
        is empty.
        """
        kind = KINDS.get(method, "writes")
        rule = rules[kind]
        size, rate = float(rule["size"]), float(rule["perSecond"])
        bucket = self._buckets.setdefault((principal, subscription, kind), _Bucket(size, now))
        bucket.tokens = min(size, bucket.tokens + max(0.0, now - bucket.filled_at) * rate)
        bucket.filled_at = now
        header = f"x-ms-ratelimit-remaining-subscription-{kind}"
        if not rules["enabled"]:
            return {header: str(int(size))}
        if bucket.tokens < 1:
            wait = max(1, math.ceil((1 - bucket.tokens) / rate)) if rate > 0 else 3600
            raise ArmError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of '{SINGULAR[kind]}' requests for subscription '{subscription}' actor '{principal}' "
                f"exceeded. Please try again after '{wait}' seconds after additional tokens are available. Refer to "
                "https://aka.ms/arm-throttling for additional information.",
                headers={"Retry-After": str(wait), header: "0"},
                gateway=True,
            )
        bucket.tokens -= 1
        return {header: str(int(bucket.tokens))}
