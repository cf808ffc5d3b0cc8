"""The URLs that the extension hands out for an instance."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote_plus

from packages.functions_host.dotnet import durable_json

BASE_PATH = "/runtime/webhooks/durabletask"
# What the extension calls its storage connection when host.json names none (recorded).
DEFAULT_CONNECTION = "Storage"


@dataclass(frozen=True)
class Webhooks:
    """Where the management API is reached: ``base_url`` without a path, hub, connection and system key."""

    base_url: str
    hub: str
    connection: str
    system_key: str

    def instance_urls(
        self, instance_id: str, *, origin: str | None = None, hub: str | None = None, rewind: bool = False
    ) -> dict[str, str]:
        """The management URLs of an instance in recorded order; answers to a start have no rewind URL."""
        root = f"{origin or self.base_url}{BASE_PATH}/instances/{url_encode(instance_id)}"
        tail = f"taskHub={url_encode(hub or self.hub)}&connection={url_encode(self.connection)}&code={self.system_key}"
        urls = {
            "id": instance_id,
            "statusQueryGetUri": f"{root}?{tail}",
            "sendEventPostUri": f"{root}/raiseEvent/{{eventName}}?{tail}",
            "terminatePostUri": f"{root}/terminate?reason={{text}}&{tail}",
        }
        if rewind:
            urls["rewindPostUri"] = f"{root}/rewind?reason={{text}}&{tail}"
        return urls | {
            "purgeHistoryDeleteUri": f"{root}?{tail}",
            "restartPostUri": f"{root}/restart?{tail}",
            "suspendPostUri": f"{root}/suspend?reason={{text}}&{tail}",
            "resumePostUri": f"{root}/resume?reason={{text}}&{tail}",
        }

    def client_binding(self, rpc_base_url: str) -> str:
        """The string that a durable client binding gives to the app (recorded, http.jsonl)."""
        start = f"{self.base_url}{BASE_PATH}/orchestrators/{{functionName}}[/{{instanceId}}]"
        code = f"code={self.system_key}"
        return durable_json.compact(
            {
                "taskHubName": self.hub,
                "connectionName": None,
                "creationUrls": {
                    "createNewInstancePostUri": f"{start}?{code}",
                    "createAndWaitOnNewInstancePostUri": (
                        f"{start}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}&{code}"
                    ),
                },
                "managementUrls": self.instance_urls("INSTANCEID", rewind=True),
                "baseUrl": f"{self.base_url}{BASE_PATH}",
                "requiredQueryStringParameters": code,
                "rpcBaseUrl": rpc_base_url,
                "httpBaseUrl": None,
                "maxGrpcMessageSizeInBytes": None,
                "grpcHttpClientTimeout": None,
            }
        )


def url_encode(text: str) -> str:
    """As .NET's WebUtility.UrlEncode: blanks become ``+``, only ``-_.!*()`` stay besides letters and digits."""
    return quote_plus(text, safe="-_.!*()").replace("~", "%7E")
