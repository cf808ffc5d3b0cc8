"""Secrets that the app knows, searched for in everything that is written while it works.

What is searched: Azurite's data folder and every row of its tables, the engine's database and the timers' status, the
logs of the app's host and of Azurite, the events that the custom topic was given, and the answers of the app's HTTP
API that were kept. What is not searched: where a part keeps its own keys (the host's key file, its ready line, the
settings file, the simulated Azure's folder), because a secret has to be somewhere. For the same reason the signatures
of Azure's operation URLs may stand in one column of the records, which is taken out before the rows are searched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import tenant
from local.app_client import Answer, AppClient
from local.stack import Stack
from tests.faults.evidence import AZURITE_KEY, Tables

# Whatever the value, these shapes are secrets: access tokens, signed URLs, storage and Service Bus keys, PEM keys.
_SHAPES = {
    "an access token": re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a connection string": re.compile(
        rb"(AccountKey|SharedAccessKey|SharedAccessSignature)=(?!REDACTED\b)[\w+/%-]{8,}", re.I
    ),
    "a signed URL": re.compile(rb"[?&](sig|code)=[\w%+/-]{20,}", re.I),
    "a signed operation URL": re.compile(rb"(?:[?&]|&amp;|u0026)[csh]=[\w%+/-]{20,}", re.I),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}
_WORD = re.compile(rb"[\w-]{18,}")
_TABLES = ("operations", "claims", "reactions")
# The internal column, in a row as JSON and in Azurite's files, where the quotes of its value are escaped.
_INTERNAL = re.compile(rb'"operation_urls(?:__part\d+)?":\s*"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Leak:
    """A secret where it must not be; the text never shows the secret itself."""

    secret: str
    where: str

    def __str__(self) -> str:
        return f"{self.secret} in {self.where}"


class KeptAnswers:
    """The answers of the app's HTTP API, as bytes, for the search."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, bytes]] = []

    @contextmanager
    def kept(self) -> Iterator[KeptAnswers]:
        """Keep every answer that an AppClient gets while the block runs."""
        call = AppClient.call

        def keeping(client: AppClient, method: str, path: str, *more: Any, **options: Any) -> Answer:
            answer = call(client, method, path, *more, **options)
            told = json.dumps([answer.status, dict(answer.headers), answer.body], default=str)
            # The host's own API of its engine answers with its own keys.
            if "/runtime/webhooks/durabletask/" not in path:
                self.answers.append((f"the answer to {method} {path.split('?')[0]}", told.encode()))
            return answer

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AppClient, "call", keeping)
            yield self


def secrets_of(stack: Stack) -> dict[str, str]:
    """The secrets that the parts of a stack were given, by name."""
    about = stack.azure.about
    found = {f"the host's {name} key": value for name, value in stack.keys.items()}
    found |= {
        "the identity header": about["identityHeader"],
        "the topic key": about["topicKey"],
        "the storage key": AZURITE_KEY,
        "the TLS key": _heart_of(Path(about["serverKey"]).read_text()),
    }
    for name, resource in (("ARM", ""), ("storage", "https://storage.azure.com")):
        # A token's head and body are alike for every token of a second; what makes it a secret is all of it.
        found[f"a token for {name}"] = stack.azure.token(resource=resource)
    found |= {f"the app's token of {person.name}": stack.token_of(person) for person in tenant.PEOPLE.values()}
    return found


def signatures_of(stack: Stack) -> dict[bytes, str]:
    """Every value of a signature that Azure's operation URLs were given, and what it is."""
    return {
        value.encode(): f"{name} of a signed operation URL"
        for signature in stack.azure.signatures()
        for name, value in signature.items()
    }


def search(stack: Stack, answers: KeptAnswers | None = None, seeded: Mapping[str, str] | None = None) -> list[Leak]:
    """Every secret found where it must not be. ``seeded`` are secrets that a test itself put in, by name."""
    secrets = {**secrets_of(stack), **(seeded or {})}
    signatures = signatures_of(stack)
    leaks = set()
    for where, written in _written(stack, answers):
        content = without_internal(written) if where.startswith(("table ", "azurite")) else written
        for name, value in secrets.items():
            if value.encode() in content:
                leaks.add(Leak(name, where))
        for name, shape in _SHAPES.items():
            if shape.search(content):
                leaks.add(Leak(name, where))
        # There are thousands of them: the words of the content are looked up, and not each of them in the content.
        leaks |= {Leak(signatures[word], where) for word in _WORD.findall(_plain(content)) if word in signatures}
    return sorted(leaks, key=str)


def _plain(content: bytes) -> bytes:
    return content.replace(b"%3D", b"=").replace(b"%3d", b"=")


def without_internal(content: bytes) -> bytes:
    """Rows without the internal column."""
    return _INTERNAL.sub(b"", content)


def _written(stack: Stack, answers: KeptAnswers | None) -> Iterator[tuple[str, bytes]]:
    folders = [stack.state_dir / "azurite", stack.host_state / "durable", stack.host_state / "timers"]
    logs = [stack.state_dir / "logs" / f"{name}.log" for name in ("host", "azurite")]
    for path in [*logs, *(file for folder in folders if folder.exists() for file in sorted(folder.rglob("*")))]:
        if path.is_file():
            yield str(path.relative_to(stack.state_dir)), path.read_bytes()
    tables = Tables(stack)
    try:
        # Azurite writes its files late; the rows themselves are there at once.
        for table in _TABLES:
            yield f"table {table}", json.dumps(tables.rows(table), default=str).encode()
    finally:
        tables.close()
    yield "events of the topic", json.dumps(stack.azure.topic_events()).encode()
    yield from answers.answers if answers is not None else ()


def _heart_of(pem: str) -> str:
    """A line from the middle of a PEM file: enough to know it by, whatever its lines are wrapped into."""
    lines = [line for line in pem.splitlines() if line and not line.startswith("-")]
    return lines[len(lines) // 2]
