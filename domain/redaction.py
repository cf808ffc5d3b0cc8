"""Secrets in what Azure, a job or a cluster says: out before the text is kept, answered, logged or published.

One function, ``scrub``, knows their shapes, and the values that this process itself has read (``learn``). It is applied
where such texts become values (errors and answers of the gateways), once more to all that people read of a record, and
to every line of the log. Every pattern is linear in the length of the text: no part of one can match in two ways.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast
from urllib.parse import quote

T = TypeVar("T")
REDACTED = "REDACTED"
# Characters. An error of Azure has a few hundred; what is kept is bounded, whoever wrote it.
LONGEST = 16_384
_CUT = " ... (cut)"
# Only this much of a text is looked at, so that what is cut off at LONGEST cannot hide the half of a known value.
_LONGEST_READ = 1_048_576

# The only parameters that are known to be harmless, of Azure Resource Manager's URLs and of the pages and commands that
# Moor itself names, in small letters. Operation URLs also carry t, c, s and h: a time, a certificate, a signature and a
# hash.
_PLAIN = frozenset({"api-version", "service", "underlyingresourceaction", "id"})
# The separators are those of a URL, of one in HTML and of one in JSON that was quoted as text.
_PARAMETER = re.compile(r"(?P<mark>\?|&(?:amp;)?|\\u0026)(?P<name>[\w.$-]++)=(?P<value>[^&\s\"'<>\\]++)")
# Its spaces may be spelt as in a URL.
_PEM = re.compile(r"-----BEGIN[A-Z0-9 +%]{1,80}-----.*?(?:-----END[A-Z0-9 +%]{1,80}-----|\Z)", re.DOTALL)
# In base64, as Kubernetes secrets have it: a PEM block, a connection string (Endpoint=, DefaultEndpoint, AccountName=,
# AccountKey=, SharedAccess), a kubeconfig (apiVersion).
_ENCODED = re.compile(
    r"(?:LS0tLS1CRUdJT|RW5kcG9pbnQ9|RGVmYXVsdEVuZHBvaW50|QWNjb3VudE5hbWU9|QWNjb3VudEtleT|U2hhcmVkQWNjZXNz|YXBpVmVyc2lvb)"
    r"[A-Za-z0-9+/=_-]*+"
)
# A private key without the lines around it: PKCS #8 and #1 of RSA, SEC 1 and PKCS #8 of elliptic curves.
_BARE_KEY = re.compile(
    r"(?<![A-Za-z0-9+/])(?:MII[A-Za-z0-9+/]{3}(?:IBADANBgkq|IBAAKC)|MHcCAQEE|MIGHAgEAMBMG|MC4CAQAwBQYDK2V)"
    r"[A-Za-z0-9+/=]*+(?:(?:\r?\n|\\{1,2}n)[A-Za-z0-9+/=]{16,}+)*+"
)
# A run of dotted words, looked at once from its start; a token is what begins with an encoded '{"'.
_DOTTED = re.compile(r"(?<![\w.-])[\w.-]*+")
_SHORTEST_HEADER = 16
# What begins so and has no dot yet is a token that continues in the next line, or a docker configuration in base64.
_SHORTEST_START = 24
# Stands where a token was found, until what continues it is gone: signs of plain base64, and whole further lines.
_FOUND = "\ue000"
_FURTHER = re.compile(rf"{_FOUND}[\w+/=.-]*+(?:(?:(?:\\{{1,2}}[rn]){{1,2}}|\r?\n)[ \t]{{0,16}}[\w+/=.-]{{16,}}+)*+")
_NAMES_OF_SECRETS = (
    r"(?:shared|account|storage|primary|secondary|access|api|subscription|functions?|host|master|admin|client|private"
    r"|encryption|signing|aeg[-_]?sas)[-_]?(?:access)?[-_]?(?:key|secret|signature|token)(?:[-_]?(?:data|value))?"
    r"|(?:client|app|user|identity)[-_]?secret|(?:access|refresh|id|bearer|auth|sas|session|security|identity)[-_]?token"
    r"|pass(?:word|wd|phrase)|pwd|(?:(?<![a-z])|(?<=%[0-9a-f]{2}))sig|signature"
    r"|x-functions-key|x-identity-header|identity[-_]header|instrumentation[-_]?key|secret(?==)"
    r"|secret[-_]?(?:access[-_]?)?(?:key|value)|(?<![a-z-])auth(?=[\\\"'])|(?<![a-z])(?:token|secret)"
    r"|(?-i:(?<=[a-z])(?:Token|Secret))"
)
# name=value, name={value}, name: value, "name": "value", each of them quoted once more; <name>value; a block of YAML.
_NAMED = re.compile(
    rf"(?P<name>{_NAMES_OF_SECRETS})"
    r"(?P<sign>[\\\"']{0,3}\s{0,3}(?:[=:]|%3d|\\{1,2}u003d|&#(?:0?61|x3d);)\s{0,3}|>(?=[^\s<>\"'\\&;,.)]{4}))"
    r"(?:(?P<mark>\\{1,2}[\"'])(?:[^\"'\\\r\n]|\\\\(?:\\[\"'])?|\\(?![\"']))*+"
    r"|(?<==)\{[^}\r\n]*+\}?|(?<=:\s)[|>][-+]?[ \t]*+(?:\r?\n[ \t]++[^\r\n]*+)++"
    r"|(?P<double>\")(?:[^\"\\\r\n]|\\.)*+|(?P<single>')(?:[^'\\\r\n]|\\.)*+"
    r"|(?P<value>[^\s\"'<>&;,\\]++))",
    re.IGNORECASE,
)
# After a colon these are prose: "password: must have 12 characters".
_PROSE = re.compile(
    r"(?:a|an|and|any|are|as|at|be|by|can|cannot|could|does|expired|for|from|has|have|if|in|invalid|is|it|its|may|missing"
    r"|must|no|none|not|null|of|on|one|only|or|required|should|that|the|this|to|too|use|was|will|with|wrong|your)"
    r"[.:!?)]{0,2}\Z",
    re.IGNORECASE,
)
# Names that prose has too: what follows one is a secret when it looks like one.
_WEAK = frozenset({"token", "secret"})
# A name and a value without a sign between them: "the client secret 'x' is wrong".
_SPOKEN = re.compile(
    r"(?P<name>(?:client|app|user)[-_ ]?secret|password"
    r"|(?:account|access|api|shared|storage)[-_ ]?(?:access[-_ ]?)?key)"
    r"(?P<gap>\s{1,3}(?:(?:is|was|value|provided|of)\s{1,3}){0,2}[\"']?)(?P<value>[^\s\"'<>,;:\\]++)",
    re.IGNORECASE,
)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_RANDOM = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[\w+/=~.!$%^*-]{16,}\Z|[0-9a-f]{32,}\Z|[0-9A-F]{32,}\Z")
# Alone, wherever they stand: client secrets of Entra, keys of Functions, of AI Search, of Azure Cache and of Azure AI,
# keys of AWS and Google, tokens of GitHub, GitLab, Hugging Face, OpenAI, Databricks, Slack, Docker, npm and PyPI.
_ALONE = re.compile(
    r"(?<![\w.~-])(?:[\w.~-]{3}[0-9]Q~[\w.~-]{31,34}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opsur]_[A-Za-z0-9]{36,255}"
    r"|[\w-]{44}AzFu[\w-]{5}[AQgw]==|[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}|[A-Za-z0-9]{33}AzCa[A-P][A-Za-z0-9]{5}="
    r"|[A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{27}|AIza[\w-]{35}|github_pat_\w{20,255}|gl(?:pat|ptt|dt)-[\w-]{20,255}"
    r"|hf_[A-Za-z0-9]{30,64}|sk-\w{24,255}|sk-[a-z]{2,8}-[\w-]{24,255}|dapi[0-9a-f]{32}|xox[abeoprs]-[\w-]{10,255}"
    r"|dckr_pat_[\w-]{20,64}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,255})(?![\w~-])"
)
# Keys of a container registry.
_REGISTRY_KEY = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{42}\+ACR[A-D][A-Za-z0-9+/]{5}(?![A-Za-z0-9+/])")
_SCHEME = re.compile(
    r"(?<![\w])(?P<scheme>Bearer|Basic|SharedKey(?:Lite)?|SharedAccessSignature|Negotiate)(?P<gap>(?:\s|%20|\+){1,3})"
    r"(?P<value>[^\s\"'<>,;\\]++)",
    re.IGNORECASE,
)
_AUTHORISATION = re.compile(
    r"(?P<name>(?<![A-Za-z])(?:(?:proxy-)?authorization|(?:set-)?cookie)[\\\"']{0,3}\s{0,3}[:=]\s{0,3}[\\\"']{0,3})"
    # The placeholder of a command is none: Authorization: Bearer <token>.
    r"(?!\s{0,3}(?:Bearer|Basic)\s{1,3}<)(?P<value>[^\r\n\"'<>\\]++)",
    re.IGNORECASE,
)
# A user's part of a URL, with or without a password; the last @ before the path ends it.
_USER = re.compile(r"(?<=://)[^\s/\"'<>?#\\]{1,1000}@")
# Keys of storage accounts (64 bytes) and of Service Bus, Event Grid and relays (32 bytes), wherever they stand.
_KEY = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)(?![A-Za-z0-9+/=])")

# A text without any of these, in small letters, has no secret of a known shape: most have none.
_HINTS = (
    *("=", "@", "%3d", "eyj", "ls0t", "-----begin", "bearer", "basic", "shared", "negotiate", "authorization"),
    *("u003d", "&#", "cookie", "q~", "akia", "asia", "gho_", "ghp_", "ghs_", "ghu_", "ghr_"),
    *("rw5kcg9pbnq9", "rgvmyxvsdevuzhbvaw50", "qwnjb3vudk", "u2hhcmvkqwnjzxnz", "yxbpvmvyc2lvb"),
    *("mii", "mhccaqee", "mighageambmg", "mc4caqawbqydk2v", "azse", "jqqj9", "aiza", "+acr", "github_pat_"),
    *("glpat-", "glptt-", "gldt-", "hf_", "sk-", "dapi", "xox", "dckr_pat_", "npm_", "pypi-"),
)
_HINTS_OF_NAMES = ("key", "secret", "token", "signature", "pass", "pwd", "sig", "header", "auth")

# Values that this process has read: of vaults, of relays. Process state, because an error that repeats one comes to
# the process that sent it; nothing is decided by it. The eldest go first.
_MOST_KNOWN, _SHORTEST_KNOWN, _SHORTEST_LINE = 4096, 8, 16
# Threads share it without a lock: each line that reads or changes it does so in one step of the interpreter.
_known: dict[str, None] = {}


def learn(value: str) -> None:
    """Have ``scrub`` leave a secret out from now on, in plain, JSON, URL and base64 form, and each long line of it.

    Values of fewer than eight characters are not learnt: they would be cut out of words.
    """
    if len(value) < _SHORTEST_KNOWN:
        return
    lines = [line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST_LINE]
    forms = [value, *(line for line in lines if not line.startswith("-----"))]
    forms += [form for text in (value, value.strip()) for form in _spellings(text)]
    for form in forms:
        if form not in REDACTED:
            _known.pop(form, None)
            _known[form] = None
    for eldest in [*_known][:-_MOST_KNOWN]:
        _known.pop(eldest, None)


def scrub(text: str, longest: int = LONGEST) -> str:
    """The text with every secret in it replaced by REDACTED, and cut to ``longest`` characters.

    Of URLs, every query parameter that is not known to be harmless counts as one.
    """
    text = text[:_LONGEST_READ]
    if _known:
        for form in sorted((form for form in [*_known] if form in text), key=len, reverse=True):
            text = text.replace(form, REDACTED)
    if len(text) > longest:
        text = text[: longest - len(_CUT)] + _CUT
    small = text.lower()
    if not any(hint in small for hint in (*_HINTS, *_HINTS_OF_NAMES)):
        return text
    text = _PEM.sub(REDACTED, text)
    text = _BARE_KEY.sub(REDACTED, _ENCODED.sub(REDACTED, text))
    text = _USER.sub(f"{REDACTED}@", text)
    text = _FURTHER.sub("", _DOTTED.sub(_without_token, text))
    text = _PARAMETER.sub(_without_value, text)
    text = _AUTHORISATION.sub(rf"\g<name>{REDACTED}", text)
    text = _SCHEME.sub(_without_credential, text)
    text = _NAMED.sub(_without_named, text)
    text = _SPOKEN.sub(_without_spoken, text)
    text = _REGISTRY_KEY.sub(REDACTED, _ALONE.sub(REDACTED, text))
    return _KEY.sub(REDACTED, text)[:longest]


def scrub_all(value: T) -> T:
    """The value with every text in it scrubbed: of a dataclass, a tuple, a list, or what a mapping holds."""
    return cast(T, _scrubbed(value))


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {_scrubbed(name): _scrubbed(held) for name, held in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_scrubbed(held) for held in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{each.name: _scrubbed(getattr(value, each.name)) for each in fields(value)})
    return value


def _spellings(value: str) -> list[str]:
    encoded = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
    return [
        value,
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r").replace("\n", "\\n"),
        quote(value, safe="", errors="replace"),
        encoded,
        encoded.rstrip("="),
    ]


def _without_value(found: re.Match[str]) -> str:
    value = found["value"] if found["name"].lower() in _PLAIN else REDACTED
    return f"{found['mark']}{found['name']}={value}"


def _without_token(found: re.Match[str]) -> str:
    run: str = found[0]
    start = run.find("eyJ")
    is_token = start >= 0 and run.find(".", start) - start >= _SHORTEST_HEADER
    is_start = start == 0 and "." not in run and len(run) >= _SHORTEST_START
    if not is_token and not is_start:
        return run
    return run[:start] + REDACTED + _FOUND


def _without_credential(found: re.Match[str]) -> str:
    value: str = found["value"]
    # "Basic authentication", "Bearer Token"; base64 has capitals inside.
    if value.isalpha() and len(value) < 20 and value in (value.lower(), value.capitalize(), value.upper()):
        return found[0]
    return f"{found['scheme']}{found['gap']}{REDACTED}"


def _without_named(found: re.Match[str]) -> str:
    mark, value = found["mark"] or found["double"] or found["single"] or "", found["value"]
    weak = found["name"].lower() in _WEAK
    if weak and ":" in found["sign"] and found.string[found.start() - 1 : found.start()].isalpha():
        # joinToken and pullSecret, after whose colon the name of one stands more often than one.
        said = found[0][found.end("sign") - found.start() :].strip("\\\"'")
        return f"{found['name']}{found['sign']}{mark}{REDACTED}" if _looks_secret(said) else str(found[0])
    if (
        (":" in found["sign"] or found["sign"] == ">")
        and value is not None
        and (_PROSE.match(value) or (weak and not _looks_secret(value)))
    ):
        return str(found[0])
    return f"{found['name']}{found['sign']}{mark}{REDACTED}"


def _without_spoken(found: re.Match[str]) -> str:
    return f"{found['name']}{found['gap']}{REDACTED}" if _looks_secret(found["value"]) else found[0]


def _looks_secret(value: str) -> bool:
    """Whether nobody would write a text so who means a word or a name."""
    bare = value.strip("()[]{}.!?*")
    return _GUID.match(bare) is not None or _RANDOM.match(bare) is not None
