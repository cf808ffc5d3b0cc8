"""The catalogue as data: whole and unambiguous."""

from __future__ import annotations

import re
import shlex

import pytest

from domain.catalogue import explain
from domain.catalogue.entry import ATTACH, MOOR, REQUEST, Entry, Sample
from domain.catalogue.explain import ENTRIES, GENERIC, tiers

PROGRAMS = ("az", "kubectl", "openssl", "curl")
SAMPLES = [
    pytest.param(entry, situation, sample, id=f"{situation}-{entry.key}-{number}")
    for entry in ENTRIES
    for situation in entry.situations
    for number, sample in enumerate(entry.samples)
]


@pytest.mark.parametrize(("entry", "situation", "sample"), SAMPLES)
def test_a_sample_is_met_by_its_entry_and_no_other(entry: Entry, situation: str, sample: Sample) -> None:
    facts = dict.fromkeys(sample.facts, "yes")
    for tier in tiers(situation):
        met = [e.key for e in tier if e.facts_in(sample.answer, facts) is not None]
        if met:
            assert met == [entry.key]
            return
    pytest.fail("no entry meets the sample")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.key)
def test_an_entry_is_whole(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", entry.code)
    assert entry.situations
    assert entry.cause
    assert entry.remedy.endswith(".")
    assert bool(entry.on) == bool(entry.samples), "what is found by its words shows them"
    assert entry.on or MOOR in entry.situations or entry in GENERIC.values()
    assert entry.documentation is None or entry.documentation.startswith("https://learn.microsoft.com/")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.key)
def test_a_command_is_well_formed(entry: Entry) -> None:
    names = re.findall(r"\{(\w+)\}", entry.command)
    problem = explain.problem_of(entry, {name: f"the {name}" for name in names}, None)
    assert problem.command is not None
    words = shlex.split(problem.command)
    assert words[0] in PROGRAMS
    assert "<" not in problem.command.replace("<token>", "").replace("<url>", "")
    options = [word for word in words if word.startswith("--")]
    assert len(options) == len(set(options))
    assert not any(word == "-" or re.fullmatch(r"-\w\w+", word) for word in words if words[0] in ("az", "kubectl"))


def test_keys_are_unique_and_every_situation_has_a_generic_entry() -> None:
    keys = [entry.key for entry in ENTRIES]
    assert len(keys) == len(set(keys))
    assert {s for e in ENTRIES for s in e.situations} == {*GENERIC, MOOR}
    assert {GENERIC[ATTACH].code, GENERIC["extension"].code, GENERIC["detach"].code, GENERIC[REQUEST].code} == {
        "AttachFailed",
        "ExtensionFailed",
        "DetachFailed",
        "AzureRefused",
    }
