"""Names of Kubernetes computes in a workspace.

2 to 16 characters: letters, digits and hyphens, a letter first, no hyphen last (checks of Microsoft's own samples,
physical-ai-toolchain and edge-ai; the service gives no list of its rules).
"""

from __future__ import annotations

import hashlib
import re

PATTERN = r"^[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]$"
_LONGEST = 16


def compute_name_for(cluster_name: str, cluster_id: str) -> str:
    """The default name of a cluster's compute: the cluster's own name where the rules allow it.

    Otherwise what can be kept of it and four hexadecimal digits of the id's hash, so that clusters whose names share
    a beginning do not meet in one compute.
    """
    if re.match(PATTERN, cluster_name):
        return cluster_name
    kept = re.sub(r"[^A-Za-z0-9-]", "", cluster_name).lstrip("-0123456789")
    digest = hashlib.sha256(cluster_id.strip("/").lower().encode()).hexdigest()[:4]
    return f"{kept[: _LONGEST - 5].rstrip('-') or 'compute'}-{digest}"
