"""What is served agrees with the contract, path by path, and says so in its own document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from domain.requests.models import Request
from domain.requests.parsing import MODELS
from tests.triggers.http.http_app import functions
from triggers.http import not_available as http_later
from triggers.http.openapi import document

CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "contract/openapi.yaml").read_text())
SERVED = document("http://127.0.0.1:7071/api")
OPERATIONS = [(path, method) for path, item in SERVED["paths"].items() for method in item if method != "parameters"]
# Told by every reading path when the tables do not answer; the contract names it where something is to be accepted.
OUTAGE = {"503"}
COMPARED = ("pattern", "minLength", "maxLength", "minimum", "maximum", "maxProperties", "maxItems", "format")


def resolve(document: Mapping[str, Any], node: Any) -> Any:
    """A schema or other node without references; a lone allOf, and oneOf or anyOf with null, in one form."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    if isinstance(node, dict) and "allOf" in node:
        (inner,) = node["allOf"]
        node = {**resolve(document, inner), **{k: v for k, v in node.items() if k != "allOf"}}
    if isinstance(node, dict) and (union := node.get("oneOf") or node.get("anyOf")):
        inner, null = union
        assert null == {"type": "null"}
        inner = resolve(document, inner)
        node = {**inner, "type": [inner.get("type", "object"), "null"]}
    return node


def values(schema: Mapping[str, Any]) -> set[Any] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None


def differences(where: str, served: Any, contract: Any) -> Iterator[str]:
    """How a served schema says something else than the contract's."""
    served, contract = resolve(SERVED, served), resolve(CONTRACT, contract)
    if contract.get("type") and values(contract) is None and served.get("type") != contract["type"]:
        yield f"{where}: type {served.get('type')} for {contract['type']}"
    for word in COMPARED:
        if served.get(word) != contract.get(word):
            yield f"{where}: {word} {served.get(word)} for {contract.get(word)}"
    ours, theirs = values(served), values(contract)
    if theirs is not None and (ours is None or not ours <= theirs):
        yield f"{where}: values {ours} for {theirs}"
    if theirs is None and ours is not None and contract.get("type") != "boolean":
        yield f"{where}: values {ours} where the contract has any"
    if "default" in contract and served.get("default") != contract["default"]:
        yield f"{where}: default {served.get('default')} for {contract['default']}"
    if "default" in served and "default" not in contract:
        yield f"{where}: default {served['default']} where the contract has none"
    yield from object_differences(where, served, contract)
    if "items" in contract:
        yield from differences(f"{where}[]", served["items"], contract["items"])


def object_differences(where: str, served: Any, contract: Any) -> Iterator[str]:
    ours, theirs = served.get("properties", {}), contract.get("properties", {})
    if unknown := set(ours) - set(theirs):
        yield f"{where}: the contract has no {unknown}"
    if set(served.get("required", [])) != set(contract.get("required", [])):
        yield f"{where}: required {served.get('required')} for {contract.get('required')}"
    if contract.get("additionalProperties") is False and served.get("additionalProperties") is not False:
        yield f"{where}: takes unknown properties"
    if isinstance(contract.get("additionalProperties"), dict):
        yield from differences(f"{where}.*", served.get("additionalProperties", {}), contract["additionalProperties"])
    for name in ours.keys() & theirs.keys():
        yield from differences(f"{where}.{name}" if where else name, ours[name], theirs[name])


def missing(where: str, served: Any, contract: Any) -> Iterator[str]:
    """Pointers of the contract's properties that are not served."""
    served, contract = resolve(SERVED, served), resolve(CONTRACT, contract)
    for name, theirs in contract.get("properties", {}).items():
        if name not in served.get("properties", {}):
            yield f"{where}/{name}"
        else:
            yield from missing(f"{where}/{name}", served["properties"][name], theirs)


def test_the_document_lists_exactly_what_is_served() -> None:
    later = {(path, method) for path, method in http_later.PATHS}
    registered = {(f.route, method) for f in functions() for method in f.methods}
    assert later <= registered
    assert {(path.removeprefix("/"), method.upper()) for path, method in OPERATIONS} == registered - later


def test_together_with_later_work_it_is_the_whole_contract() -> None:
    whole = {(p, m) for p, item in CONTRACT["paths"].items() for m in item if m != "parameters"}
    later = {(f"/{path}", method.lower()) for path, method in http_later.PATHS}
    assert whole == {*OPERATIONS, *later}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_names_keys_and_statuses_agree(path: str, method: str) -> None:
    served, contract = SERVED["paths"][path][method], CONTRACT["paths"][path][method]
    assert served["operationId"] == contract["operationId"]
    assert served.get("security") == contract.get("security")
    assert set(served["responses"]) - OUTAGE == set(contract["responses"]) - OUTAGE
    assert set(served["responses"]) >= set(contract["responses"])


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_parameters_agree(path: str, method: str) -> None:
    def parameters(whole: Any) -> dict[tuple[str, str], Any]:
        item = whole["paths"][path]
        given = [resolve(whole, p) for p in (*item.get("parameters", []), *item[method].get("parameters", []))]
        return {(p["in"], p["name"]): p for p in given}

    ours, theirs = parameters(SERVED), parameters(CONTRACT)
    assert ours.keys() == theirs.keys()
    for key in ours:
        assert list(differences(key[1], ours[key]["schema"], theirs[key]["schema"])) == []
        for word in ("required", "style", "explode"):
            assert ours[key].get(word) == theirs[key].get(word)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_bodies_and_headers_agree(path: str, method: str) -> None:
    served, contract = SERVED["paths"][path][method], CONTRACT["paths"][path][method]
    assert ("requestBody" in served) == ("requestBody" in contract)
    if "requestBody" in served:
        (ours,), (theirs,) = served["requestBody"]["content"].values(), contract["requestBody"]["content"].values()
        name = theirs["schema"]["$ref"].split("/")[-1]
        assert list(differences(name, ours["schema"], theirs["schema"])) == []
    for status, response in contract["responses"].items():
        theirs, ours = resolve(CONTRACT, response), served["responses"][status]
        assert ours.get("content", {}).keys() == theirs.get("content", {}).keys()
        for media in theirs.get("content", {}):
            ours_schema, theirs_schema = ours["content"][media]["schema"], theirs["content"][media]["schema"]
            assert list(differences("", ours_schema, theirs_schema)) == []
            assert list(missing("", ours_schema, theirs_schema)) == []
        assert ours.get("headers", {}).keys() == theirs.get("headers", {}).keys()
        for name, header in theirs.get("headers", {}).items():
            assert ours["headers"][name].get("required") == header.get("required")
            assert ours["headers"][name]["schema"] == header["schema"]


@pytest.mark.parametrize("model", MODELS.values())
def test_every_field_that_is_not_served_is_known_by_name(model: type[Request]) -> None:
    schemas = SERVED["components"]["schemas"], CONTRACT["components"]["schemas"]
    assert set(missing("", *(each[model.__name__] for each in schemas))) == model.later_fields


def test_the_document_tells_what_is_not_available_by_leaving_it_out() -> None:
    attach = SERVED["components"]["schemas"]["AttachRequest"]["properties"]
    assert values(attach["smokeTest"]) == {"none", "training"}
    assert "expiresAt" not in attach


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    for schema in SERVED["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            resolve(SERVED, {"$ref": node["$ref"]} if "$ref" in node else {})
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(SERVED)


def test_every_kind_that_can_be_asked_for_is_one_of_the_answers() -> None:
    assert values(SERVED["components"]["schemas"]["Operation"]["properties"]["kind"]) == {*MODELS}
