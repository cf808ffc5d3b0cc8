"""The message types that Microsoft's worker library asks of its host, as plain objects.

On Azure they are the classes that protoc makes of FunctionRpc.proto. The library only constructs them with keyword
arguments, reads their members, and asks which member of a oneof is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar


class Message:
    """Keeps its keyword arguments as members."""

    oneofs: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, **members: Any) -> None:
        vars(self).update(members)

    def WhichOneof(self, name: str) -> str | None:
        """The member of that oneof which is set. Raises ValueError for an unknown oneof, as protobuf does."""
        if name not in self.oneofs:
            raise ValueError(f"{type(self).__name__} has no oneof {name!r}")
        return next((member for member in self.oneofs[name] if vars(self).get(member) is not None), None)


class TypedData(Message):
    """A value in the member of its type."""

    oneofs: ClassVar = {"data": ("string", "json", "bytes", "stream", "http", "int", "double")}


class ParameterBinding(Message):
    """A function's argument."""

    oneofs: ClassVar = {"rpc_data": ("data", "rpc_shared_memory")}


class BindingInfo(Message):
    """A binding of a function's metadata, and the enumerations of its direction and data type."""

    inout, out, undefined, string, binary, stream = 2, 1, 0, 1, 2, 3


setattr(BindingInfo, "in", 0)  # the name is a keyword


class StatusResult(Message):
    """How a request ended."""

    Failure, Success, Cancelled = 0, 1, 2


class RpcHttpCookie(Message):
    """A cookie of a response; ``SameSite`` is the protocol's enumeration, by the texts of the attribute."""

    SameSite = SimpleNamespace(Lax="lax", Strict="strict", ExplicitNone="none")


setattr(RpcHttpCookie.SameSite, "None", None)


def _plain(name: str) -> type[Message]:
    return type(name, (Message,), {})


PROTOS = SimpleNamespace(
    TypedData=TypedData,
    ParameterBinding=ParameterBinding,
    BindingInfo=BindingInfo,
    StatusResult=StatusResult,
    RpcHttpCookie=RpcHttpCookie,
    **{
        name: _plain(name)
        for name in (
            *("FunctionLoadResponse", "FunctionMetadataResponse", "InvocationResponse", "WorkerInitResponse"),
            *("NullableBool", "NullableDouble", "NullableString", "NullableTimestamp", "Timestamp"),
            *("RpcException", "RpcFunctionMetadata", "RpcHttp", "RpcRetryOptions", "WorkerMetadata"),
        )
    },
)
"""The namespace that the library knows as ``protos``."""


def request(**members: Any) -> SimpleNamespace:
    """A streaming message with one request, as the library's handlers take it."""
    return SimpleNamespace(request=SimpleNamespace(**members), properties={"host": "127.0.0.1", "protos": PROTOS})
