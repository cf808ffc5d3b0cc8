"""What was tried, and what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from azure.core.exceptions import AzureError

from domain.violations import Refused
from gateways.azure.arm import ArmError
from gateways.kubernetes.api import KubernetesError


@dataclass
class Tally:
    """``foreign`` are hosts that anybody tried to reach and that are not Moor's to reach; ``odd`` are exceptions that
    refuse nothing: their type, where they come from, and how many.
    """

    places: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    inputs: int = 0
    calls: int = 0
    foreign: set[str] = field(default_factory=set)
    paths: set[str] = field(default_factory=set)
    odd: Counter[str] = field(default_factory=Counter)

    def tried(self, place: str, text: str) -> None:
        """One input more."""
        self.places.add(place)
        self.texts.add(text)
        self.inputs += 1

    def raised(self, error: Exception) -> None:
        """What some work came to: a refusal is no matter, everything else is kept."""
        if not is_refusal(error):
            self.odd[f"{type(error).__name__} in {_place_of(error)}: {str(error)[:80]}"] += 1

    def __str__(self) -> str:
        return (
            f"places {len(self.places)}, texts {len(self.texts)}, inputs tried {self.inputs}, calls {self.calls}, "
            f"connections to other hosts {len(self.foreign)}, exceptions that are no refusal {self.odd.total()}"
        )


def is_refusal(error: Exception) -> bool:
    """Whether an exception says that something cannot be used, and comes to words for people."""
    if isinstance(error, (ArmError, KubernetesError, AzureError, Refused)):
        return True
    # An id that is none (UnicodeError is one as well, and not meant), and what Azure does not say.
    return type(error) in (ValueError, LookupError)


def _place_of(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{code.co_name}"
