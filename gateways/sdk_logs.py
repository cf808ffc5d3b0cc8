"""What may come into the log: of the SDKs warnings and worse, and of nobody a secret.

The Python worker has the root logger at INFO, where azure-core logs every request and answer with its URL, and
azure-identity every token: about 180 lines for one attach, resource ids in them. The step itself logs what it does.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from domain.redaction import scrub

# azure: every azure-* package. httpx2: lightkube's requests to clusters. msal: under azure-identity.
SDK_LOGGERS = ("azure", "httpx2", "msal")
# Characters of one line, and of a traceback, which is longer than what people read.
_LONGEST = 65_536
_SCRUBS = "scrubs_records"


def keep_to_warnings() -> None:
    """Set the SDKs' loggers to WARNING, whatever the root logger is set to."""
    for name in SDK_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


def scrub_records() -> None:
    """Have every record of every logger scrubbed as it is made, before any handler - the worker's too - has it.

    Not a filter: one of a logger does not see what the loggers below it make, and one of a handler only that handler's.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, _SCRUBS, False):
        return

    def scrubbed(*args: Any, **more: Any) -> logging.LogRecord:
        return _without_secrets(make(*args, **more))

    setattr(scrubbed, _SCRUBS, True)
    logging.setLogRecordFactory(scrubbed)


def _without_secrets(record: logging.LogRecord) -> logging.LogRecord:
    try:
        text = record.getMessage()
    except Exception:  # logging would print the arguments as they are.
        text = "a line whose arguments do not fit its text"
    record.msg, record.args = scrub(text, _LONGEST), ()
    if record.exc_info and record.exc_info[0] is not None:
        # Handlers that find the exception itself would format it again, with all that it says.
        record.exc_text = scrub("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"), _LONGEST)
        record.exc_info = None
    if record.stack_info:
        record.stack_info = scrub(record.stack_info, _LONGEST)
    return record
