"""The extension that a request asks for, and how its settings are written."""

from __future__ import annotations

from typing import Any

import pytest

from domain.extension.wanted import Wanted, is_on, wanted_extension, wire_text


@pytest.mark.parametrize("request_", [{}, {"extension": None}, {"extension": {}}])
def test_who_asks_for_nothing_gets_training_installed_where_it_is_missing(request_: dict[str, Any]) -> None:
    wanted = wanted_extension(request_)
    assert wanted == Wanted({"enableTraining": "True"}, {}, "ensure", "azureml", "stable", None, None)
    assert (wanted.training, wanted.inference) == (True, False)


def test_settings_that_are_given_stand_alone() -> None:
    assert wanted_extension({"extension": {"configurationSettings": {}}}).settings == {}
    asked = {"enableInference": True, "inferenceRouterHA": False, "n": 3}
    wanted = wanted_extension({"extension": {"configurationSettings": asked}})
    assert wanted.settings == {"enableInference": "True", "inferenceRouterHA": "False", "n": "3"}
    assert (wanted.training, wanted.inference) == (False, True)


def test_everything_else_is_taken_as_it_is_asked_for() -> None:
    protected = {"sslKeyPemFile": "https://kv-1.vault.azure.net/secrets/key"}
    extension = {
        "manage": "require",
        "name": "mine",
        "releaseTrain": "preview",
        "version": "1.1.91",
        "configurationProtectedSettings": protected,
    }
    wanted = wanted_extension({"extension": extension, "clusterPurpose": "devTest"})
    assert (wanted.manage, wanted.name, wanted.release_train) == ("require", "mine", "preview")
    assert (wanted.version, wanted.purpose, wanted.protected) == ("1.1.91", "devTest", protected)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "True"), (False, "False"), ("true", "true"), (3, "3"), (3.0, "3"), (1.5, "1.5"), ("3.0", "3.0")],
)
def test_a_value_is_written_as_azure_takes_it(value: Any, text: str) -> None:
    assert wire_text(value) == text


@pytest.mark.parametrize(
    ("text", "on"), [("True", True), ("true", True), ("TRUE", True), ("1", False), ("yes", False), ("", False)]
)
def test_only_true_is_on(text: str, on: bool) -> None:
    assert is_on({"enableTraining": text}, "enableTraining") is on
    assert not is_on({"enabletraining": text}, "enableTraining")
