"""The failures of a function as the host's other parts see them."""

from __future__ import annotations


class WorkerError(Exception):
    """A function raised.

    Attributes:
        exception_type: name of the exception's class, without its module (``ValueError``).
        text: ``str(exception)``.
        stack: the worker's stack trace as text.
    """

    def __init__(self, exception_type: str, text: str, stack: str = "") -> None:
        super().__init__(f"{exception_type}: {text}")
        self.exception_type = exception_type
        self.text = text
        self.stack = stack

    @property
    def message(self) -> str:
        """What the worker sends as the exception's message: type name, colon, text."""
        return f"{self.exception_type}: {self.text}"


class WorkerDiedError(WorkerError):
    """The worker process ended while the function ran in it: nobody knows how far it had come.

    The text is that of the script host's WorkerProcessExitException, which has no type name before it.
    """

    def __init__(self, text: str) -> None:
        super().__init__("WorkerProcessExitException", text)

    @property
    def message(self) -> str:
        """The exception's text alone."""
        return self.text


class FunctionTimeoutError(WorkerDiedError):
    """The function ran longer than functionTimeout, and its worker was ended for it."""


class WorkerStartError(Exception):
    """The app cannot be served: the worker has refused it, or does not start. The text is meant for a person."""
