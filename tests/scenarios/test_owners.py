"""A violation is told once, by the test that made it, and what shows late at the end: the real fixtures, tried out.

The checker and the fixtures are those of the scenarios; the evidence is planted, so that no stack has to run.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

_ROOT = Path(__file__).parents[2]
_CONFTEST = """
from types import SimpleNamespace

import pytest

from tests.faults import invariants as checker
from tests.faults import test_rules
from tests.scenarios import conftest as scenarios
from tests.scenarios.conftest import _invariants_hold, invariants, place
from dataclasses import replace

PLANTED = []
CALM = replace(test_rules.WHOLE, heads={}, journals={}, index={}, instances={}, requests=[])
checker.gather = lambda *_: replace(CALM, requests=list(PLANTED))
scenarios.Tables = lambda stack: SimpleNamespace(close=lambda: None)
scenarios.canary.search = lambda *_: []


@pytest.fixture(scope="session")
def stack():
    return SimpleNamespace(azure=SimpleNamespace(seed=lambda additions: None))


@pytest.fixture
def plant():
    return lambda cluster: PLANTED.append(test_rules.request("DELETE", cluster, 5.5))
"""
_TESTS = """
PLACES = {}

def test_calm(place):
    PLACES["calm"] = place.cluster_id

def test_breaks(place, plant):
    plant(place.cluster_id)

def test_after(place):
    pass

def test_breaks_what_is_nobodys(place, plant):
    plant(f"{place.cluster_id.rpartition('/')[0]}/aks-shared")

def test_while_the_first_breaks_late(place, plant):
    plant(PLACES["calm"])

def test_last(place):
    pass
"""


def test_only_the_test_that_breaks_something_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    pytester.makeconftest(_CONFTEST)
    file = pytester.makepyfile(test_play=_TESTS)
    played = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist", "-rE", str(file))
    played.assert_outcomes(passed=6, errors=3)
    told = [line.partition(" - ")[0] for line in played.outlines if line.startswith("ERROR test_play")]
    # What is late is told by whichever test is the last, with the name of the one that it belongs to.
    assert told == [
        "ERROR test_play.py::test_breaks",
        "ERROR test_play.py::test_breaks_what_is_nobodys",
        "ERROR test_play.py::test_last",
    ]
    late = [line for line in played.outlines if "cluster never deleted" in line and "test_play.py" in line]
    named = [line for line in late if not line.startswith("ERROR")]
    assert named
    assert all("test_play.py::test_calm" in line for line in named)
