"""docs/errors.md is rendered from the catalogue."""

from __future__ import annotations

from pathlib import Path

from domain.catalogue.explain import ENTRIES
from domain.catalogue.render import SECTIONS, rendered

ROOT = Path(__file__).parents[3]


def test_the_page_of_errors_is_the_catalogue() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert text == rendered(), "run: python -m domain.catalogue.render > docs/errors.md"


def test_the_page_has_every_entry_once() -> None:
    shown = [entry.key for _, entries in SECTIONS for entry in entries]
    assert sorted(shown) == sorted(entry.key for entry in ENTRIES)


def test_an_entry_shows_its_cause_its_words_what_to_do_and_the_command() -> None:
    text = rendered()
    start = text.index("### LegacyRouterDeployment\n")
    lines = text[start : text.index("\n###", start)].strip().splitlines()
    assert lines == [
        "### LegacyRouterDeployment",
        "",
        "An inference router of Azure ML v1 is still deployed in the cluster.",
        "",
        "* Azure says: `E45005` `AZUREML_FE_DEPLOYMENT_CONFLICT`",
        "* Do: Delete the router's objects that v1 left in namespace default.",
        f"* Command: `{_command('LegacyRouterDeployment')}`",
        "* See <https://learn.microsoft.com/azure/machine-learning/how-to-troubleshoot-kubernetes-extension>",
    ]


def _command(key: str) -> str:
    return next(entry.command for entry in ENTRIES if entry.key == key)


def test_words_that_no_source_quotes_are_marked() -> None:
    described = [sample for entry in ENTRIES for sample in entry.samples if not sample.quoted and sample.code]
    assert described
    text = rendered()
    for sample in described:
        assert f"~ `{sample.code}`" in text
    assert "~ `E45005`" not in text


def test_what_is_not_known_of_an_operation_does_not_pass_for_markup() -> None:
    prose = [line for line in rendered().splitlines() if not line.startswith(("* Command:", "* See", "* Azure says:"))]
    assert any("\\<cluster>" in line for line in prose)
    assert [line for line in prose if "<" in line.replace("\\<", "")] == []


def test_what_passes_alone_is_marked() -> None:
    assert rendered().count("\n* Transient\n") == sum(entry.transient for entry in ENTRIES)
