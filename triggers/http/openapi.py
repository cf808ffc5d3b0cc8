"""The OpenAPI document of what is served, rendered from the models that requests are validated with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import CoreSchema

from domain.operation.record import STATUSES
from domain.requests import models as requests
from domain.requests import parsing
from domain.requests.fields import OPERATION_ID
from domain.version import API_VERSION
from triggers.http import models
from triggers.http.queries import (
    DEFAULT_ENTRIES,
    DEFAULT_OPERATIONS,
    MOST_ENTRIES,
    MOST_OPERATIONS,
)

_SCHEMAS = "#/components/schemas/"
_TEXT: dict[str, Any] = {"type": "string"}
_UNAUTHENTICATED = {
    "description": "No valid key or token; WWW-Authenticate says what is expected. The body may be empty where the "
    "Functions host answers.",
}
_REFUSED = (
    "Refused; nothing was changed. 429 (too many requests or live operations of this principal) and 503 carry "
    "Retry-After."
)
_ENTRA = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Access token of Microsoft Entra ID for this API, with an app role - Moor.Reader, Moor.Operator, "
    "Moor.Approver, Moor.Privileged. The only way in where MOOR_AUTH is entra.",
}


class _Untitled(GenerateJsonSchema):
    """Without titles, which only repeat the names."""

    def field_title_should_be_set(self, schema: CoreSchema | FieldInfo | Any) -> bool:
        return False


def document(server_url: str) -> dict[str, Any]:
    """The whole document; ``server_url`` is where the caller reaches this API."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moor",
            "version": API_VERSION,
            "summary": "Attach Kubernetes clusters to Azure Machine Learning workspaces and detach them, as durable "
            "operations.",
            "description": "What this release serves. Unknown fields are refused with InvalidRequest, fields and "
            "values that the contract describes and later releases bring with NotAvailableYet.",
        },
        "servers": [{"url": server_url}],
        "security": [{"entra": []}, {"functionKey": []}, {"functionKeyQuery": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "entra": _ENTRA,
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "functionKeyQuery": {"type": "apiKey", "in": "query", "name": "code"},
            },
            "schemas": _schemas(),
        },
    }


# Rendering takes 10 ms, and anybody may ask.
@lru_cache(maxsize=1)
def _schemas() -> dict[str, Any]:
    shapes = [*parsing.MODELS.values(), requests.Decision, requests.Answer, *models.MODELS]
    _, rendered = models_json_schema(
        [(model, "validation") for model in shapes],
        ref_template=_SCHEMAS + "{model}",
        schema_generator=_Untitled,
    )
    schemas: dict[str, Any] = rendered["$defs"]
    for schema in schemas.values():
        schema.pop("title", None)
    return schemas


@lru_cache(maxsize=1)
def _paths() -> dict[str, Any]:
    return {
        "/attach": {"post": _start("attach", "AttachRequest", "Attach a cluster to a workspace as a compute.")},
        "/detach": {"post": _start("detach", "DetachRequest", "Detach a compute; the cluster is never deleted.")},
        "/reattach": {
            "post": _start(
                "reattach", "ReattachRequest", "Change an attachment: detach, then attach with the same name."
            )
        },
        "/operations": {"get": _list_operations()},
        "/operations/{id}": {"parameters": [_id()], "get": _get_operation()},
        "/operations/{id}/journal": {"parameters": [_id()], "get": _get_journal()},
        "/operations/{id}/cancel": {
            "parameters": [_id()],
            "post": _decision("cancelOperation", "Stop at the next safe point, then undo or keep as the request said."),
        },
        "/operations/{id}/retry": {
            "parameters": [_id()],
            "post": {
                **_decision(
                    "retryOperation", "Continue an operation that failed, was cancelled or hangs, from where it stands."
                ),
                "parameters": [_mode()],
            },
        },
        "/operations/{id}/approve": {
            "parameters": [_id()],
            "post": _decision("approveOperation", "Answer yes to an operation that waits for approval.", "Answer"),
        },
        "/operations/{id}/reject": {
            "parameters": [_id()],
            "post": _decision("rejectOperation", "Answer no to an operation that waits for approval.", "Answer"),
        },
        "/health": {"get": _health()},
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "This document.",
                "security": [],
                "responses": {"200": {"description": "OpenAPI 3.1."}},
            }
        },
    }


def _start(operation_id: str, model: str, summary: str) -> dict[str, Any]:
    headers = {
        "Operation-Location": {**_header("uri", "Absolute URL of the operation."), "required": True},
        "Location": {**_header("uri", "The same URL."), "required": True},
        "Retry-After": _retry_after(),
    }
    content = _json("Operation")
    return {
        "operationId": operation_id,
        "summary": summary,
        "parameters": [
            {
                **_query("plan", {"type": "boolean", "default": False}),
                "description": "Start an operation that only looks - its result is the Plan; it changes nothing and "
                "holds no claim.",
            },
            {
                "name": "Operation-Id",
                "in": "header",
                "schema": {**_TEXT, "pattern": f"^{OPERATION_ID}$"},
                "description": "The caller's own id for the operation. The same id with the same request answers the "
                "same operation, finished or not; with another request 409.",
            },
        ],
        "requestBody": {"required": True, "content": _json(model)},
        "responses": {
            "200": {
                "description": "This same request is under way already, or had this Operation-Id: its operation.",
                "headers": headers,
                "content": content,
            },
            "202": {"description": "Accepted.", "headers": headers, "content": content},
            **_errors("400", "409", "413", "415"),
        },
    }


def _list_operations() -> dict[str, Any]:
    statuses = {"type": "array", "items": {**_TEXT, "enum": list(STATUSES)}}
    return {
        "operationId": "listOperations",
        "summary": "Operations, newest first.",
        "parameters": [
            {**_query("status", statuses), "style": "form", "explode": False},
            _query("kind", {**_TEXT, "enum": list(parsing.MODELS)}),
            _query("workspaceId", _TEXT),
            _query("clusterId", _TEXT),
            _query("computeName", _TEXT),
            _top(DEFAULT_OPERATIONS, MOST_OPERATIONS),
            _query("continuationToken", _TEXT),
        ],
        "responses": {
            "200": {"description": "A page.", "content": _json("OperationPage")},
            **_errors("400"),
        },
    }


def _get_operation() -> dict[str, Any]:
    return {
        "operationId": "getOperation",
        "summary": "Status monitor. Carries Retry-After while it is not finished.",
        "parameters": [{"name": "If-None-Match", "in": "header", "schema": _TEXT}],
        "responses": {
            "200": {
                "description": "The operation.",
                "headers": {"ETag": {"required": True, "schema": _TEXT}, "Retry-After": _retry_after()},
                "content": _json("Operation"),
            },
            "304": {"description": "Unchanged since the ETag in If-None-Match."},
            **_errors("404"),
        },
    }


def _get_journal() -> dict[str, Any]:
    return {
        "operationId": "getJournal",
        "summary": "Append-only list of everything that the operation did and decided, oldest first, paged.",
        "parameters": [_top(DEFAULT_ENTRIES, MOST_ENTRIES), _query("continuationToken", _TEXT)],
        "responses": {
            "200": {"description": "A page of entries.", "content": _json("JournalPage")},
            **_errors("400", "404"),
        },
    }


def _decision(operation_id: str, summary: str, model: str = "Decision") -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "requestBody": {"required": model == "Answer", "content": _json(model)},
        "responses": {
            "202": {"description": "Taken; the operation's present state.", "content": _json("Operation")},
            **_errors("400", "404", "409", "413", "415"),
        },
    }


def _health() -> dict[str, Any]:
    return {
        "operationId": "health",
        "summary": "Liveness and what the app depends on; anonymous, tells nothing secret.",
        "security": [],
        "responses": {
            "200": {"description": "Healthy.", "content": _json("Health")},
            "503": {"description": "Something it needs does not answer.", "content": _json("Health")},
        },
    }


def _errors(*statuses: str) -> dict[str, Any]:
    """What every gated path answers, and what this one answers besides."""
    refused = {"description": _REFUSED, "content": _json("ErrorResponse")}
    return {"401": _UNAUTHENTICATED, **dict.fromkeys(sorted({*statuses, "403", "429", "503"}), refused)}


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMAS + model}}}


def _header(text_format: str, description: str) -> dict[str, Any]:
    return {"schema": {**_TEXT, "format": text_format}, "description": description}


def _retry_after() -> dict[str, Any]:
    return {"schema": {"type": "integer"}, "description": "Seconds; absent when it is finished."}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _mode() -> dict[str, Any]:
    schema = {**_TEXT, "enum": ["continue", "undo"], "default": "continue"}
    told = "undo finishes an undo that was cut short, and attaches nothing."
    return {**_query("mode", schema), "description": told}


def _top(default: int, most: int) -> dict[str, Any]:
    return _query("top", {"type": "integer", "minimum": 1, "maximum": most, "default": default})


def _id() -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": _TEXT}
