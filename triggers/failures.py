"""What a function that nobody waits for says when it fails: what kind of failure, and none of the words of it.

The worker hands an exception's text and its traceback to the host, which logs them past every filter of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")


class FunctionFailed(Exception):
    """A function failed: the host tries it again, or says so to who called it. The app's log has the reason."""


async def without_words(name: str, work: Awaitable[T]) -> T:
    """The answer of ``work``. Raises FunctionFailed for whatever it raises, which only our own log shows."""
    try:
        return await work
    except Exception as error:
        logger.error("%s raised", name, exc_info=error)
        raise FunctionFailed(f"{name}: {type(error).__name__}; the log of the app has the reason") from None
