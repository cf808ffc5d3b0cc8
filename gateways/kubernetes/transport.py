"""The transport of lightkube's client: httpx2, to one server, within the bounds of ``gateways/bounds.py``.

One transport is one visit to a cluster: besides each call, all calls of a visit together have a time and a size. A
request that does not lead to the API of that cluster is not sent; whatever a client makes of an answer (a redirect, an
absolute URL in it) comes through here too. It imports httpx2: import it when it is first used.
"""

from __future__ import annotations

import re
import time
from typing import Any

import httpx2

from gateways import bounds
from gateways.azure.own_host import origin_of
from gateways.bounds import CutOff, Exceeded, TooMuch, Watch

# Of a path: what servers and proxies read in different ways, and names that are none.
_ODD_PATH = re.compile(rb"//|/\.{1,2}(/|$)|%2[ef]|%5c|%25|\\", re.IGNORECASE)
_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class OverBound(httpx2.TransportError):
    """A call went over a bound, in the terms of httpx2. A write may have been done."""


class ForeignServer(httpx2.UnsupportedProtocol):
    """A request, or a redirect, does not lead to the API of the cluster. Nothing is sent there. Does not say where."""


class BoundedTransport(httpx2.BaseTransport):
    """Sends requests to one server within the bounds, by another transport.

    ``server`` is the URL of the one whose credential the requests have. Raises ForeignServer and OverBound besides what
    the other transport raises.
    """

    def __init__(self, inner: httpx2.BaseTransport, server: str) -> None:
        self._inner = inner
        self._own = origin_of(server)
        self._until = time.monotonic() + bounds.VISIT_SECONDS
        self._requests, self._bytes = 0, 0
        self._pages: set[str] = set()
        self._connection: Any = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request and read the whole answer."""
        if self._own is None or not self._is_own(request.url):
            raise ForeignServer("the request leads to another server than the cluster's own; nothing was sent")
        try:
            bounds.begin_call()
            self._count(request)
            left = max(0.0, self._until - time.monotonic())
            seconds = min(left, bounds.seconds_of(request.method, request.url.path))
            # The handshake of TLS has its own socket only once it is over: its time limit is the one to connect.
            limits = {what: min(limit or seconds, seconds) for what, limit in request.extensions["timeout"].items()}
            request.extensions = {**request.extensions, "timeout": limits}
            with Watch(seconds) as watch:
                return self._send(request, watch)
        except Exceeded as bound:
            raise OverBound(str(bound)) from None

    def close(self) -> None:
        """End the connections."""
        self._inner.close()

    def _is_own(self, url: httpx2.URL) -> bool:
        path = url.raw_path.partition(b"?")[0]
        return origin_of(str(url)) == self._own and _ODD_PATH.search(path) is None

    def _count(self, request: httpx2.Request) -> None:
        self._requests += 1
        if time.monotonic() > self._until:
            raise CutOff(f"the visit took over {bounds.VISIT_SECONDS:.0f} seconds")
        if self._requests > bounds.VISIT_REQUESTS:
            raise TooMuch(f"the visit took more than {bounds.VISIT_REQUESTS} requests")
        if "continue" in request.url.params:
            page = str(request.url)
            if page in self._pages:
                raise TooMuch("the list leads back to a page that was read already")
            self._pages.add(page)

    def _send(self, request: httpx2.Request, watch: Watch) -> httpx2.Response:
        if self._connection is not None:
            watch.note(self._connection)

        def seen(event: str, said: dict[str, Any]) -> None:
            if event.endswith(_CONNECTED):
                self._connection = said["return_value"].get_extra_info("socket")
                watch.note(self._connection)

        request.extensions = {**request.extensions, "trace": seen}
        request.headers["Accept-Encoding"] = "gzip"
        response = self._inner.handle_request(request)
        if 300 <= response.status_code < 400:
            # A client that follows none may take it for an answer, and a deletion for done.
            response.close()
            raise ForeignServer("the server answers with a redirect, which is not followed")
        try:
            most = min(bounds.MOST_BYTES, bounds.VISIT_BYTES - self._bytes)
            encoding = response.headers.pop("Content-Encoding", "")
            body = bounds.whole_body(response.stream, encoding, most)  # type: ignore[arg-type]
        except ValueError as error:
            raise httpx2.DecodingError(str(error), request=request) from error
        finally:
            response.close()
        self._bytes += len(body)
        response.headers.pop("Transfer-Encoding", None)
        response.headers["Content-Length"] = str(len(body))
        return httpx2.Response(response.status_code, headers=response.headers, content=body)
