"""Paths that the contract describes and later work brings: refused by name, so that nobody takes them for a typo."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from domain.violations import NOT_YET
from triggers.http.answers import HttpError
from triggers.http.gate import admitted

bp = df.Blueprint()

PATHS = (
    ("fleet/attach", "POST"),
    ("fleet/detach", "POST"),
    ("attachments", "GET"),
)


async def _refuse(path: str) -> func.HttpResponse:
    message = f"/{path} is described by the contract and not available in this release."
    raise HttpError(400, NOT_YET, message, f"/{path}")


def _register(path: str, method: str) -> None:
    name = f"http_later_{path.replace('/{id}', '').replace('/', '_')}"

    @bp.function_name(name)
    @bp.route(route=path, methods=[method])
    async def later(req: func.HttpRequest) -> func.HttpResponse:
        return await admitted(req, name, lambda caller: _refuse(path))


for _path, _method in PATHS:
    _register(_path, _method)
