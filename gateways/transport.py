"""The transport of every client of Azure: requests, within the bounds of ``gateways/bounds.py``.

A body is read whole, and unpacked, before anybody sees the answer: none of the clients here streams one.
"""

from __future__ import annotations

import io
import threading
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import urllib3
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from gateways import bounds
from gateways.bounds import Exceeded, Watch

_CHUNK = 64 * 1024


class OverBound(requests.RequestException):
    """An answer went over a bound (``Exceeded``), in the terms of requests. A write may have been done."""

    def __init__(self, bound: Exceeded) -> None:
        super().__init__(str(bound))
        self.bound = bound


class _Calls(threading.local):
    watch: Watch | None = None


_calls = _Calls()


def _note(connection: Any) -> None:
    if _calls.watch is not None and connection is not None:
        _calls.watch.note(connection)


class _Watched:
    """A connection that says to the watch of the present call that the call uses it."""

    sock: Any

    def _new_conn(self) -> Any:
        connection = super()._new_conn()  # type: ignore[misc]
        _note(connection)
        return connection

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _note(self.sock)

    def request(self, *args: Any, **options: Any) -> None:
        _note(self.sock)
        super().request(*args, **options)  # type: ignore[misc]


class _Plain(_Watched, HTTPConnection):
    pass


class _Secure(_Watched, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = cast(Any, _Plain)


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = cast(Any, _Secure)


_POOLS = {"http": _PlainPool, "https": _SecurePool}


# Connections to one host that are kept: of eight activities, and of sixteen heads of a list beside them.
_KEPT_OPEN = 32


class BoundedAdapter(HTTPAdapter):
    """Sends requests within the bounds. Raises OverBound besides what requests raises.

    ``counted``: the calls are the work of an activity, which begins none after its time is over.
    """

    def __init__(self, *, counted: bool = False) -> None:
        self._counted = counted
        super().__init__(max_retries=0, pool_maxsize=_KEPT_OPEN)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make connections that the watch knows."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        """The same, for connections through a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send one request and read the whole answer."""
        seconds = bounds.seconds_of(str(request.method), urlsplit(str(request.url)).path)
        request.headers["Accept-Encoding"] = "gzip"
        limits = _limits(timeout, seconds)
        try:
            if self._counted:
                bounds.begin_call()
            with Watch(seconds) as watch:
                _calls.watch = watch
                try:
                    response = super().send(
                        request, stream=True, timeout=limits, verify=verify, cert=cert, proxies=proxies
                    )
                    return _read(response)
                finally:
                    _calls.watch = None
        except Exceeded as bound:
            raise OverBound(bound) from None


def _limits(timeout: Any, seconds: float) -> tuple[float, float]:
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return min(connect or bounds.CONNECT_SECONDS, seconds), min(read or seconds, seconds)


def _read(response: requests.Response) -> requests.Response:
    raw = response.raw
    try:
        encoding = response.headers.pop("Content-Encoding", "")
        body = bounds.whole_body(raw.stream(_CHUNK, decode_content=False), encoding)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error, request=response.request) from error
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        # What azure-core takes for an answer that was cut, and not for a request that was not sent.
        cut = urllib3.exceptions.ProtocolError(str(error), error)
        raise requests.exceptions.ConnectionError(cut, request=response.request) from error
    except Exceeded:
        response.close()
        raise
    raw.release_conn()
    response._content, response._content_consumed = body, True  # type: ignore[attr-defined]
    response.raw = urllib3.HTTPResponse(
        io.BytesIO(body), headers=dict(response.headers), status=raw.status, preload_content=False
    )
    return response


class BoundedTransport(RequestsTransport):
    """azure-core's transport over a bounded session. What went over a bound is a ServiceResponseError.

    ``options`` are those of RequestsTransport: its time limits stand here, because clients hand those of their own
    constructors to a transport of their own only. ``counted`` is that of ``BoundedAdapter``.
    """

    def __init__(self, *, counted: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._counted = counted

    def _init_session(self, session: requests.Session) -> None:
        super()._init_session(session)
        bounded(session, counted=self._counted)

    def send(self, request: Any, *, proxies: Any = None, **options: Any) -> Any:
        """Send a request. Raises azure.core.exceptions.AzureError."""
        try:
            return super().send(request, proxies=proxies, **options)
        except (ServiceRequestError, ServiceResponseError) as error:
            if isinstance(error.inner_exception, OverBound):
                raise ServiceResponseError(str(error.inner_exception), error=error.inner_exception) from None
            raise


def bounded(session: requests.Session, *, counted: bool = False) -> requests.Session:
    """A session whose calls keep to the bounds."""
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(counted=counted))
    return session


def exceeded(error: BaseException) -> Exceeded | None:
    """The bound that an error of azure-core or requests is about; None when it is about something else."""
    inner = getattr(error, "inner_exception", None) or error
    return inner.bound if isinstance(inner, OverBound) else None
