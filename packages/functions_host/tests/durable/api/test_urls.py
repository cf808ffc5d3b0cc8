"""URLs of the management API, and the client's binding."""

import json

import pytest

from packages.functions_host.durable.api.urls import Webhooks, url_encode


@pytest.mark.parametrize(("text", "encoded"), [("h blank ü", "h+blank+%C3%BC"), ("@at", "%40at"), ("a~b", "a%7Eb")])
def test_ids_in_urls_are_encoded_as_net_does(text: str, encoded: str) -> None:
    assert url_encode(text) == encoded


def test_the_client_binding_names_the_rpc_listener() -> None:
    hooks = Webhooks("http://127.0.0.1:7071", "hub", "Storage", "KEY")
    binding = json.loads(hooks.client_binding("http://127.0.0.1:1/durabletask/"))
    assert binding["rpcBaseUrl"] == "http://127.0.0.1:1/durabletask/"
    assert binding["managementUrls"]["id"] == "INSTANCEID"
    assert "rewindPostUri" in binding["managementUrls"]
