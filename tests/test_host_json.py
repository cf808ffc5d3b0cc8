"""host.json and the settings that go with it: what deployments rely on, what the page says, and what fits together."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local.app_settings import app_settings

ROOT = Path(__file__).resolve().parent.parent
HOST: dict[str, Any] = json.loads((ROOT / "host.json").read_text())
DURABLE: dict[str, Any] = HOST["extensions"]["durableTask"]
STORAGE: dict[str, Any] = DURABLE["storageProvider"]
PAGE = (ROOT / "docs/settings.md").read_text()
THREADS = "PYTHON_THREADPOOL_THREAD_COUNT"


def test_what_is_logged() -> None:
    """At Information, DurableTask.* and Azure.* tell every message and storage request: 172 MB a day when idle."""
    assert HOST["logging"]["logLevel"] == {
        "default": "Information",
        "Azure.Core": "Warning",
        "Azure.Identity": "Warning",
        "DurableTask.Core": "Warning",
        "DurableTask.AzureStorage": "Warning",
    }
    sampling = HOST["logging"]["applicationInsights"]["samplingSettings"]
    assert sampling == {"isEnabled": True, "excludedTypes": "Request;Exception"}


@pytest.mark.parametrize("name", ["workItemQueueVisibilityTimeout", "controlQueueVisibilityTimeout"])
def test_a_host_that_died_holds_its_messages_for_a_minute(name: str) -> None:
    """The extension takes 1 to 60 minutes; its default of 5 is how long an operation stands still."""
    assert STORAGE[name] == "00:01:00"


def test_the_rest_of_what_the_host_is_told() -> None:
    assert (HOST["version"], HOST["functionTimeout"]) == ("2.0", "00:05:00")
    assert HOST["extensionBundle"] == {
        "id": "Microsoft.Azure.Functions.ExtensionBundle",
        "version": "[4.26.0, 5.0.0)",
    }
    assert HOST["extensions"]["http"] == {"routePrefix": "api"}
    assert (STORAGE["type"], STORAGE["maxQueuePollingInterval"]) == ("AzureStorage", "00:00:05")
    # Before version 2 of tracing nothing of an orchestration can be followed in Application Insights.
    assert DURABLE["tracing"] == {"distributedTracingEnabled": True, "version": "V2"}


def test_every_setting_is_one_that_the_extension_knows() -> None:
    """It ignores what it does not know, without a word."""
    assert set(DURABLE) == {
        *("hubName", "defaultVersion", "versionMatchStrategy", "versionFailureStrategy", "storageProvider"),
        *("maxConcurrentActivityFunctions", "maxConcurrentOrchestratorFunctions", "tracing"),
    }
    assert set(STORAGE) == {
        *("type", "partitionCount", "maxQueuePollingInterval"),
        *("controlQueueVisibilityTimeout", "workItemQueueVisibilityTimeout"),
    }


def test_an_older_app_leaves_newer_instances_to_a_newer_one() -> None:
    """docs/operate.md, Rolling back. A value that is none of the enumeration keeps the host from starting."""
    assert DURABLE["versionMatchStrategy"] == "CurrentOrOlder"
    assert DURABLE["versionFailureStrategy"] == "Reject"
    assert re.fullmatch(r"\d+\.\d+", DURABLE["defaultVersion"])


def test_a_thread_for_everything_that_the_host_hands_over() -> None:
    """What waits for a thread uses up its functionTimeout, and a function over that ends the worker for all."""
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    wanted = DURABLE["maxConcurrentActivityFunctions"] + DURABLE["maxConcurrentOrchestratorFunctions"]
    assert int(sample[THREADS]) == wanted
    # Nothing else comes to those threads (test_function_app.py), and so it is where everything is tried.
    azure = dict.fromkeys(
        ("identityEndpoint", "identityHeader", "metadataUrl", "authority", "httpsProxy", "tenantId"), "x"
    )
    assert app_settings(azure, {}, "0,1", ())[THREADS] == sample[THREADS]


def test_the_deployment_sets_what_the_sample_sets() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    assert f"{THREADS}={sample[THREADS]}" in (ROOT / "README.md").read_text()
    assert re.search(rf"^\| `{THREADS}` \| .*`{sample[THREADS]}`", PAGE, re.M)


def test_the_page_says_what_stands_in_host_json() -> None:
    page = PAGE.split("## host.json")[1]
    literally = {
        "extensionBundle": f"`{HOST['extensionBundle']['version']}`",
        "hubName": DURABLE["hubName"],
        "defaultVersion": DURABLE["defaultVersion"],
        "partitionCount": str(STORAGE["partitionCount"]),
        "maxConcurrentActivityFunctions": str(DURABLE["maxConcurrentActivityFunctions"]),
        "maxConcurrentOrchestratorFunctions": str(DURABLE["maxConcurrentOrchestratorFunctions"]),
        "workItemQueueVisibilityTimeout": "1 minute",
        "controlQueueVisibilityTimeout": "1 minute",
        "versionMatchStrategy": DURABLE["versionMatchStrategy"],
        "versionFailureStrategy": DURABLE["versionFailureStrategy"],
    }
    for name, value in literally.items():
        assert f"`{name}` {value}" in page, name
    assert f"`{HOST['logging']['applicationInsights']['samplingSettings']['excludedTypes']}`" in page
    assert "`functionTimeout` 5 minutes" in page
    assert "`maxQueuePollingInterval` 5 s" in page
    for category, level in HOST["logging"]["logLevel"].items():
        assert category == "default" or f"`{category}` {level}" in page, category
