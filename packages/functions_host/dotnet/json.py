"""JSON as Newtonsoft.Json 13 reads and writes it: lenient in, and with its own view of numbers and dates out.

The Event Grid trigger passes every event through it, the HTTP result writer every ``str`` that a function returns.
Values are Python's, but for dates (NetDate) and ``undefined`` (UNDEFINED). ``new X(..)`` constructors are not read: a
JsonError here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from packages.functions_host.dotnet.dates import NetDate, parse_date

MAX_DEPTH = 64
MAX_INTEGER_LENGTH = 380
_NUMBER = re.compile(r"[-+.0-9a-fA-FxX]+")
_IDENTIFIER_END = re.compile(r"[^\w$]")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "\\": "\\", '"': '"', "'": "'", "/": "/"}
_WRITTEN = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", "\\": "\\\\", '"': '\\"'}
_TO_ESCAPE = re.compile('[\x00-\x1f"\\\\\x85\u2028\u2029]')


class JsonError(ValueError):
    """The text is not JSON even to Newtonsoft."""


class Undefined:
    """JavaScript's ``undefined``, which Newtonsoft reads and writes back."""

    def __repr__(self) -> str:
        """Its JSON text."""
        return "undefined"


UNDEFINED = Undefined()


def loads(text: str, zone: tzinfo, *, skip_leading_comments: bool = False, move_duplicates: bool = False) -> Any:
    """Parse one document.

    ``zone`` is the machine's: dates with an offset are converted to it. JToken.ReadFrom takes no comment before the
    document and keeps a repeated property at its first place; JsonConvert skips such comments (a document of comments
    is None) and moves the property to the end. Raises JsonError.
    """
    reader = _Reader(text, zone, move_duplicates)
    if skip_leading_comments:
        reader.skip_comments()
        if reader.at_end():
            return None
    value = reader.value(0)
    reader.finish()
    return value


def dumps(value: Any, indent: bool = False) -> str:
    """Write a value as JsonTextWriter does; indented with two blanks when asked."""
    return _write(value, "\n" if indent else None)


def net_float(value: float) -> str:
    """``Double.ToString("R")`` of .NET Core 3 and later, invariant culture."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digit_tuple, shift = Decimal(repr(value)).normalize().as_tuple()
    digits, minus = "".join(str(digit) for digit in digit_tuple), "-" if sign else ""
    exponent = len(digits) + int(shift) - 1
    if exponent >= 17 or exponent <= -5:
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        return f"{minus}{mantissa}E{'-' if exponent < 0 else '+'}{abs(exponent):02}"
    if exponent < 0:
        return f"{minus}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{minus}{whole}.{fraction}" if fraction else f"{minus}{whole}"


def _write(value: Any, newline: str | None) -> str:
    if value is None:
        return "null"
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = net_float(value)
        if not math.isfinite(value):
            return f'"{text}"'
        return text if "." in text or "E" in text else f"{text}.0"
    if isinstance(value, NetDate):
        return f'"{value.iso()}"'
    if isinstance(value, str):
        return _quote(value)
    deeper = None if newline is None else newline + "  "
    colon = ":" if newline is None else ": "
    if isinstance(value, dict):
        items = [f"{_quote(name)}{colon}{_write(item, deeper)}" for name, item in value.items()]
        brackets = "{}"
    else:
        items = [_write(item, deeper) for item in value]
        brackets = "[]"
    if newline is None or not items:
        return brackets[0] + ",".join(items) + brackets[1]
    return brackets[0] + str(deeper) + f",{deeper}".join(items) + newline + brackets[1]


def _quote(text: str) -> str:
    escaped = _TO_ESCAPE.sub(lambda match: _WRITTEN.get(match[0]) or f"\\u{ord(match[0]):04x}", text)
    return f'"{escaped}"'


def _is_space(character: str) -> bool:
    """``char.IsWhiteSpace``, and NUL, which the reader skips as well."""
    return character == "\0" or (character.isspace() and not "\x1c" <= character <= "\x1f")


class _Reader:
    """One pass over the text; methods leave ``position`` behind what they read."""

    def __init__(self, text: str, zone: tzinfo, move_duplicates: bool) -> None:
        self.text, self.zone, self.move_duplicates = text, zone, move_duplicates
        self.position = 0

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def at_end(self) -> bool:
        self.skip_space()
        return self.position >= len(self.text)

    def skip_space(self) -> None:
        while self.position < len(self.text) and _is_space(self.text[self.position]):
            self.position += 1

    def skip_comments(self) -> None:
        self.skip_space()
        while self.peek() == "/":
            kind = self.text[self.position + 1 : self.position + 2]
            if kind == "*":
                end = self.text.find("*/", self.position + 2)
                if end < 0:
                    raise JsonError("Unexpected end while parsing comment.")
                self.position = end + 2
            elif kind == "/":
                match = re.compile(r"[\r\n]").search(self.text, self.position)
                self.position = match.start() if match else len(self.text)
            else:
                raise JsonError(f"Error parsing comment. Expected: *, got {kind}.")
            self.skip_space()

    def finish(self) -> None:
        self.skip_comments()
        if not self.at_end():
            raise JsonError(f"Additional text encountered after finished reading JSON content: {self.peek()}.")

    def value(self, depth: int) -> Any:
        self.skip_space()
        character = self.peek()
        if character == "":
            raise JsonError("Unexpected end of content.")
        if character in "\"'":
            text = self.string()
            return parse_date(text, self.zone) or text
        if character in "{[":
            if depth >= MAX_DEPTH:
                raise JsonError(f"The reader's MaxDepth of {MAX_DEPTH} has been exceeded.")
            return self.object(depth + 1) if character == "{" else self.array(depth + 1)
        if self.text.startswith("-I", self.position):
            return self.word("-Infinity", -math.inf)
        if character in _WORDS:
            return self.word(*_WORDS[character])
        if character in "-." or character.isdecimal():
            return self.number()
        raise JsonError(f"Unexpected character encountered while parsing value: {character}.")

    def word(self, word: str, value: Any) -> Any:
        if not self.text.startswith(word, self.position):
            raise JsonError(f"Error parsing value: expected {word}.")
        self.position += len(word)
        following = self.text[self.position : self.position + 2]
        if following and following[0] not in "}]," and following not in ("//", "/*") and not _is_space(following[0]):
            raise JsonError(f"Error parsing value after {word}.")
        return value

    def number(self) -> int | float:
        match = _NUMBER.match(self.text, self.position)
        text = match[0] if match else ""
        self.position += len(text)
        following = self.peek()
        if following and following not in ",}])/" and not _is_space(following):
            raise JsonError(f"Unexpected character encountered while parsing number: {following}.")
        return parse_number(text)

    def string(self) -> str:
        quote = self.peek()
        self.position += 1
        units: list[str] = []
        stop = re.compile(rf"[{quote}\\]")
        while True:
            match = stop.search(self.text, self.position)
            if not match:
                raise JsonError(f"Unterminated string. Expected delimiter: {quote}.")
            units.append(self.text[self.position : match.start()])
            self.position = match.end()
            if match[0] == quote:
                return _join_surrogates("".join(units))
            units.append(self.escape())

    def escape(self) -> str:
        letter = self.peek()
        self.position += 1
        if letter == "u":
            digits = self.text[self.position : self.position + 4]
            if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                raise JsonError("Invalid Unicode escape sequence.")
            self.position += 4
            return chr(int(digits, 16))
        if letter not in _ESCAPES or not letter:
            raise JsonError(f"Bad JSON escape sequence: \\{letter}.")
        return _ESCAPES[letter]

    def object(self, depth: int) -> dict[str, Any]:
        self.position += 1
        members: dict[str, Any] = {}
        while True:
            self.skip_comments()
            if self.peek() == "}":
                self.position += 1
                return members
            name = self.name()
            self.skip_space()
            if self.peek() != ":":
                raise JsonError(f"Invalid character after parsing property name. Expected ':' but got: {self.peek()}.")
            self.position += 1
            value = self.item(depth)
            if self.move_duplicates:
                members.pop(name, None)
            members[name] = value
            if self.closed("}"):
                return members

    def array(self, depth: int) -> list[Any]:
        self.position += 1
        items: list[Any] = []
        while True:
            self.skip_comments()
            if self.peek() == "]":
                self.position += 1
                return items
            items.append(self.item(depth))
            if self.closed("]"):
                return items

    def item(self, depth: int) -> Any:
        """A value; a comma where one should be is ``undefined``."""
        self.skip_comments()
        return UNDEFINED if self.peek() == "," else self.value(depth)

    def closed(self, bracket: str) -> bool:
        """After an item: True at the closing bracket, False behind a comma."""
        self.skip_comments()
        character = self.peek()
        if character not in (",", bracket):
            raise JsonError(f"After parsing a value an unexpected character was encountered: {character}.")
        self.position += 1
        return character == bracket

    def name(self) -> str:
        character = self.peek()
        if character and character in "\"'":
            return self.string()
        match = _IDENTIFIER_END.search(self.text, self.position)
        end = match.start() if match else len(self.text)
        if end == self.position or match is None:
            raise JsonError(f"Invalid property identifier character: {character}.")
        if match[0] != ":" and not _is_space(match[0]):
            raise JsonError(f"Invalid JavaScript property identifier character: {match[0]}.")
        name = self.text[self.position : end]
        self.position = end
        return name


_WORDS: dict[str, tuple[str, Any]] = {
    "t": ("true", True),
    "f": ("false", False),
    "n": ("null", None),
    "N": ("NaN", math.nan),
    "I": ("Infinity", math.inf),
    "u": ("undefined", UNDEFINED),
}


def parse_number(text: str) -> int | float:
    """A number as JsonTextReader reads it: leading zero is octal, ``0x`` hexadecimal, integers of any size, doubles.

    Raises JsonError.
    """
    convert: Callable[[str], int | float]
    if len(text) > 1 and text[0] == "0" and text[1] not in ".eE":
        convert = _hexadecimal if text[1] in "xX" else _octal
    elif re.fullmatch(r"-?\d+", text, re.ASCII):
        if len(text) > MAX_INTEGER_LENGTH:
            raise JsonError(f"JSON integer {text} is too large to parse.")
        convert = int
    else:
        convert = float
    try:
        return convert(text)
    except ValueError:
        raise JsonError(f"Input string '{text}' is not a valid number.") from None


def _hexadecimal(text: str) -> int:
    return _signed(int(text[2:], 16))


def _octal(text: str) -> int:
    if not re.fullmatch(r"[0-7]+", text):
        raise ValueError(text)
    return _signed(int(text, 8))


def _signed(value: int) -> int:
    """``Convert.ToInt64`` reads 64 bits in two's complement."""
    if value >= 2**64:
        raise ValueError("overflow")
    return value - 2**64 if value >= 2**63 else value


def _join_surrogates(text: str) -> str:
    """Pair up surrogates that came as escapes; a lone one becomes U+FFFD, as when the text leaves the host."""
    if not re.search("[\ud800-\udfff]", text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
