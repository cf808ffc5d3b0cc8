"""What reaches the API of clusters: what was asked for, once, and announced before."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from tests.faults.evidence import Evidence, Head, moment
from tests.faults.questions import TOLERANCE, Rule, Violation, intended, spells_of, times_asked

_OBJECTS = re.compile(
    r"(?P<cluster>/subscriptions/.+/managedClusters/[^/]+)"
    r"(?P<path>/api/v1/namespaces|/apis/amlarc\.azureml\.com/v1alpha1/instancetypes)(?P<name>/[^/]+)?$",
    re.I,
)
# The copy of v1's certificate that a reattach keeps.
_KEPT = re.compile(r"/api/v1/namespaces/azureml/secrets(/moor-azuremlfessl)?$")
# What Azure ML v1 has left behind.
_LEFT = re.compile(r"/azureml-?fe(ssl|config|-role|-binding|-int-http)?$", re.I)
_REVIEW = re.compile(r"/selfsubjectaccessreviews$", re.I)


def _objects_once(evidence: Evidence) -> Iterator[Violation]:
    """Namespaces and instance types are written because an operation asks for them, each once."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for request in evidence.objects:
        method, path = request["method"], request["path"]
        if _REVIEW.search(path) or request.get("workStatus") not in (200, 201):
            continue
        when = moment(request["simulatedTime"])
        assert when is not None
        heads = [
            head
            for head in evidence.heads.values()
            if _asked(head, method, path)
            and any(
                b - TOLERANCE <= when and (e is None or when <= e + TOLERANCE) for b, e in spells_of(evidence, head)
            )
        ]
        if not heads:
            unasked = f"{method} {path} at {when}: no operation at work then asks for it"
            yield Violation("only what was asked", unasked, (path, str(when)))
            continue
        announced = [head for head in heads if intended(evidence.journals.get(head.id, []), path, when)]
        if not announced:
            message = f"{heads[0]}: {method} {path} without an intent before it"
            yield Violation("intent before effect", message, (*heads[0].ids, path))
            continue
        counts[(announced[0].id, method, path)] += 1
    for (operation_id, method, path), count in counts.items():
        most = len(_types(evidence.heads[operation_id])) if "instancetypes" in path and method == "POST" else 1
        most += method == "PUT"  # Changed, and changed back.
        if count > most * times_asked(evidence, operation_id):
            message = f"{operation_id}: {method} {path} took effect {count} times"
            yield Violation("each effect once", message, (operation_id, method, path))


def _asked(head: Head, method: str, path: str) -> bool:
    if _KEPT.search(path):
        keeps = head.kind == "reattach" and bool(_request(head).get("cleanupLegacy"))
        return keeps and method in ("POST", "PUT") and path.lower().startswith(f"{head.cluster_id}/api/".lower())
    if method == "DELETE" and _LEFT.search(path):
        removes = head.kind in ("attach", "reattach") and bool(_request(head).get("cleanupLegacy"))
        return removes and path.lower().startswith(f"{head.cluster_id}/".lower())
    found = _OBJECTS.match(path)
    if found is None or found["cluster"].lower() != str(head.cluster_id).lower():
        return False
    if head.kind == "detach":
        clean_up = json.loads(head.row["request"]).get("cleanUp") or {}
        return method == "DELETE" and "instancetypes" in found["path"] and bool(clean_up.get("instanceTypes"))
    if head.kind not in ("attach", "reattach"):
        return False
    if method == "DELETE":
        return True  # By its intent it is known to be its own.
    if "instancetypes" in found["path"]:
        return bool(_types(head)) and method in ("POST", "PUT")
    return method == "POST" and bool(_request(head).get("createNamespace"))


def _types(head: Head) -> list[object]:
    return list(_request(head).get("instanceTypes") or ())


def _request(head: Head) -> dict[str, list[object]]:
    request: dict[str, list[object]] = json.loads(head.row["request"])
    return request


RULES: tuple[Rule, ...] = (_objects_once,)
