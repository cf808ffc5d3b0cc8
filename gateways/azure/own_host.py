"""A token goes to its own host only: what every client of Azure has in front of its token policy, and in its transport.

The policy refuses a request to another scheme, host or port, or with user info, before a token is attached to it. The
transport refuses once more right before the connection is made: policies behind the token policy (redirects, retries on
a second location) may have changed the address since. Redirects are not followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy

from gateways.transport import BoundedTransport

Origin = tuple[str, str, int]
_PORTS = {"https": 443, "http": 80}


class ForeignHost(ServiceRequestError):
    """A request does not go to the host that its token is for. Nothing was sent. Says no word of the address."""

    def __init__(self) -> None:
        super().__init__("the request leads to another host than the client's own; nothing was sent")


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of a URL, in lower case; None for a URL with user info, or one that programs may read
    differently: a control character or a fragment in it, a backslash or a space before its query. (azure-core leaves it
    to the transport to encode the query.)
    """
    if not url.isprintable() or "#" in url or any(sign in url.partition("?")[0] for sign in "\\ "):
        return None
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    if not host or not host.isascii() or "@" in parts.netloc or "%" in parts.netloc or scheme not in _PORTS:
        return None
    return scheme, host, port or _PORTS[scheme]


class OwnHostPolicy(SansIOHTTPPolicy[Any, Any]):
    """Lets requests to one origin pass, that of ``url``. Raises ForeignHost for every other."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._own = origin_of(url)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Raises ForeignHost."""
        if self._own is None or origin_of(request.http_request.url) != self._own:
            raise ForeignHost


class OwnHostTransport(BoundedTransport):
    """Connects to origins that ``allowed`` lets pass, and follows no redirect. Raises ForeignHost."""

    def __init__(self, allowed: Callable[[Origin], bool], **options: Any) -> None:
        super().__init__(**options)
        self._allowed = allowed

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a request, once. Raises ForeignHost, and what BoundedTransport raises."""
        origin = origin_of(request.url)
        if origin is None or not self._allowed(origin):
            raise ForeignHost
        return super().send(request, **kwargs)


def own_host_options(url: str, *, counted: bool = False, **timeouts: Any) -> dict[str, Any]:
    """Options for the constructor of a client of azure-core whose endpoint is ``url``.

    ``counted`` is that of ``BoundedAdapter``.
    """
    own = origin_of(url)
    return {
        "per_call_policies": [OwnHostPolicy(url)],
        "permit_redirects": False,
        "transport": OwnHostTransport(lambda origin: origin == own, counted=counted, **timeouts),
        **timeouts,
    }
