"""What each field of a request may be, in the words that a caller reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from domain.requests import fields
from tests.domain.asking import ATTACH, BAD, CLUSTER, WORKSPACE, attach, wrong


def test_settings_are_one_in_every_json_form() -> None:
    def settings(value: Any) -> Any:
        return attach(extension={"configurationSettings": {"x": value}})["extension"]["configurationSettings"]["x"]

    assert settings(True) == settings("True") == "True"
    assert settings(False) == "False"
    assert settings(3) == settings(3.0) == settings("3") == "3"
    assert settings(1.5) == "1.5"


@pytest.mark.parametrize(
    ("check", "value", "kept"),
    [
        (fields.workspace, WORKSPACE.replace("subscriptions", "SUBSCRIPTIONS"), WORKSPACE),
        (fields.printable, "two\nlines\tand\rmore", "two\nlines\tand\rmore"),
        (fields.setting, True, "True"),
        (fields.setting, 2.0, "2"),
        (fields.quantity, 2, "2"),
        (fields.quantity, "500m", "500m"),
        (fields.nullable_quantity, None, None),
        (fields.secret_id, "https://KV-1.vault.azure.net/secrets/S/", "https://kv-1.vault.azure.net/secrets/s"),
        (fields.secret_id, "no id", "no id"),
        (fields.wait, "PT1S", "PT1S"),
        (fields.wait, "P30D", "P30D"),
        (fields.named, "a" * 128, "a" * 128),
        (fields.named, "0._-", "0._-"),
        (fields.version, "1.1.91", "1.1.91"),
        (fields.version, "1.1.91-preview+5", "1.1.91-preview+5"),
        (fields.tags, {str(number): "x" * 256 for number in range(50)}, {str(n): "x" * 256 for n in range(50)}),
    ],
)
def test_what_is_kept(check: Callable[[Any], Any], value: Any, kept: Any) -> None:
    assert check(value) == kept


@pytest.mark.parametrize(
    ("check", "value", "says"),
    [
        (fields.workspace, CLUSTER, "workspaces"),
        (fields.workspace, "ws", "must be an ARM id"),
        (fields.printable, "a\x00b", "control character"),
        (fields.printable, "a\x7fb", "control character"),
        (fields.setting, float("inf"), "finite"),
        (fields.setting, float("nan"), "finite"),
        (fields.setting, None, "string, a boolean or a number"),
        (fields.setting, ["a"], "string, a boolean or a number"),
        (fields.quantity, True, "string or an integer"),
        (fields.quantity, 1.5, "string or an integer"),
        (fields.quantity, None, "string or an integer"),
        (fields.nullable_quantity, [], "string or an integer"),
        (fields.wait, "PT0S", "30 days"),
        (fields.wait, "-PT1S", "30 days"),
        (fields.wait, "P30DT1S", "30 days"),
        (fields.wait, "30", "30 days"),
        (fields.named, "", "1 to 128"),
        (fields.named, "a" * 129, "1 to 128"),
        (fields.named, "-a", "1 to 128"),
        (fields.named, "a\n", "1 to 128"),
        (fields.version, "1.1", "such as 1.1.91"),
        (fields.version, "v1.1.91", "such as 1.1.91"),
        (fields.version, "1.1.91\n", "such as 1.1.91"),
        (fields.version, "\u0661.\u0661.\u0661", "such as 1.1.91"),
        (fields.version, "1.1.9²", "such as 1.1.91"),
        (fields.version, "1.1.\uff11", "such as 1.1.91"),
        (fields.tags, {str(number): "" for number in range(51)}, "50 at most"),
        (fields.tags, {"a": "x" * 257}, "50 at most"),
    ],
)
def test_what_is_refused_and_in_which_words(check: Callable[[Any], Any], value: Any, says: str) -> None:
    with pytest.raises(PydanticCustomError, match=says):
        check(value)


@pytest.mark.parametrize(("value", "taken"), [("a", True), (False, True), (0, False), ("A", False), (None, False)])
def test_a_choice_is_one_of_these_the_type_counting_too(value: Any, taken: bool) -> None:
    choices: TypeAdapter[Any] = TypeAdapter(Annotated[Any, fields.choice("a", False, later=("b",))])
    if taken:
        assert choices.validate_python(value) is value
        return
    with pytest.raises(ValidationError, match="must be 'a' or false"):
        choices.validate_python(value)


def test_a_choice_of_later_work_is_refused_by_name() -> None:
    choices: TypeAdapter[Any] = TypeAdapter(Annotated[Any, fields.choice("a", later=("b", True))])
    for value, name in (("b", "'b'"), (True, "true")):
        with pytest.raises(ValidationError, match=f"The value {name} is described by the contract") as refused:
            choices.validate_python(value)
        assert [error["type"] for error in refused.value.errors()] == [fields.NOT_YET_TYPE]


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        (fields.Namespace, ["a", "a-b", "0" * 63], ["", "-a", "a-", "A", "a.b", "a" * 64]),
        (fields.ExistingComputeName, ["ab", "-a", "a" * 24], ["a", "a" * 25, "a_b", "a.b"]),
        (fields.Description, ["", "x" * 1024], ["x" * 1025, "\x1b"]),
        (fields.Reason, ["x" * 512], ["x" * 513]),
        (fields.ComputeName, ["gpu", "g" * 16], ["g", "gpu-", "0pu", "g" * 17]),
    ],
)
def test_lengths_and_letters(kind: Any, fits: list[str], does_not: list[str]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    assert [adapter.validate_python(text) for text in fits] == fits
    for text in does_not:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)


def test_no_error_repeats_what_was_sent() -> None:
    class Secretive(fields.Model):
        a: fields.Wait

    with pytest.raises(ValidationError) as refused:
        Secretive.model_validate({"a": "hunter2", "hunter3": 1})
    assert "hunter2" not in str(refused.value)


def test_a_field_that_may_be_left_out_may_not_be_null() -> None:
    assert wrong("attach", {**ATTACH, "description": None}) == {"/description": BAD}
    assert "description" not in attach()
