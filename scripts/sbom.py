"""The software bill of materials of what is deployed: CycloneDX 1.6, from requirements.txt and what is installed.

``python scripts/sbom.py FILE``. Needs no network. The same input gives the same file: it has no time and no random id.
Lists every package that requirements.txt installs on this Python on Linux, where Azure runs the app, with the hashes
of the files that may be installed, its licence as its metadata says, and what it needs.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAMESPACE = uuid.UUID(
    "6ba7b812-9dad-11d1-80b4-00c04fd430c8"
)  # That of object ids (RFC 9562); ids follow from content.
_LONGEST_LICENCE = 100


@dataclass(frozen=True)
class Locked:
    """A package of the lock: its name as the lock has it, its version, and the SHA-256 hashes of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]

    @property
    def ref(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{canonicalize_name(self.name)}@{self.version}"


def locked(path: Path) -> Iterator[Locked]:
    """The packages of a requirements file that hold on this Python on Linux."""
    for line in path.read_text().replace("\\\n", " ").splitlines():
        text = line.partition("--hash")[0].strip()
        if not text or text.startswith("#"):
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"sys_platform": "linux", "extra": ""}):
            (pin,) = requirement.specifier
            yield Locked(requirement.name, pin.version, tuple(_HASH.findall(line)))


def bill(packages: list[Locked], asked_for: Collection[str], name: str, version: str) -> dict[str, Any]:
    """The document; ``asked_for`` are canonical names of what the product itself needs.

    Raises PackageNotFoundError when a package is not installed, ValueError when another version is.
    """
    refs: dict[str, str] = {canonicalize_name(each.name): each.ref for each in packages}
    product = f"pkg:generic/{name}@{version}"
    needs = {each.ref: sorted(_needs(each.name, refs)) for each in packages}
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "version": version, "bom-ref": product}},
        "components": [_component(each) for each in packages],
        "dependencies": [
            {"ref": product, "dependsOn": sorted(refs[each] for each in asked_for)},
            *({"ref": ref, "dependsOn": needed} for ref, needed in sorted(needs.items())),
        ],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(document, sort_keys=True))
    return {**document, "serialNumber": f"urn:uuid:{serial}"}


def _component(package: Locked) -> dict[str, Any]:
    installed = distribution(package.name)
    if installed.version != package.version:
        raise ValueError(f"{package.name} {installed.version} is installed, and the lock has {package.version}")
    licence = installed.metadata["License-Expression"] or installed.metadata["License"] or ""
    classified = [c for c in installed.metadata.get_all("Classifier") or () if c.startswith("License :: ")]
    if (not licence or len(licence) > _LONGEST_LICENCE) and classified:  # Some put the whole text of it there.
        licence = classified[0].rpartition(" :: ")[2]
    component: dict[str, Any] = {
        "type": "library",
        "name": package.name,
        "version": package.version,
        "bom-ref": package.ref,
        "purl": package.ref,
        # Several files may be installed: each has a hash, and none of them is that of the component itself.
        "externalReferences": [
            {
                "type": "distribution",
                "url": package.ref,
                "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes],
            }
        ],
    }
    if licence and len(licence) <= _LONGEST_LICENCE:
        component["licenses"] = [{"license": {"name": " ".join(licence.split())}}]
    return component


def _needs(name: str, refs: dict[str, str]) -> set[str]:
    """What of the lock a package needs, extras left out: who asks for those lists them among its own needs."""
    found = set()
    for text in distribution(name).requires or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"sys_platform": "linux", "extra": ""}):
            ref = refs.get(canonicalize_name(needed.name))
            if ref is not None:
                found.add(ref)
    return found


def main(target: Path) -> int:
    """Write the bill; the exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = sorted(locked(ROOT / "requirements.txt"), key=lambda each: each.ref)
    try:
        asked_for = {canonicalize_name(each.name) for each in locked(ROOT / "requirements.in")}
        document = bill(packages, asked_for, project["name"], project["version"])
    except (PackageNotFoundError, ValueError) as error:
        print(f"moor: no bill of materials: {error}", file=sys.stderr)
        return 1
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    print(f"{target}: {len(packages)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
