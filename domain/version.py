"""The version of the product and of the contract it serves; pyproject.toml and the tests agree with them."""

VERSION = "0.2.0"
API_VERSION = "1.0"


def is_number(text: str) -> bool:
    """Whether a text is a number in ASCII digits, and not so long that it is none of anything: "²" is a digit too."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def is_newer(version: str | None, than: str | None) -> bool:
    """Whether an orchestration version is above another, part by part as numbers ("10.0" is above "9.1").

    False where either is not known or has a part that is no number: the engine alone can tell then.
    """
    ours, theirs = _parts(version), _parts(than)
    return ours is not None and theirs is not None and ours > theirs


def _parts(version: str | None) -> tuple[int, ...] | None:
    parts = (version or "").split(".")
    return tuple(int(part) for part in parts) if all(is_number(part) for part in parts) else None
