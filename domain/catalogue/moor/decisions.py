"""What Moor itself ends an operation with because a person said no, or said nothing."""

from __future__ import annotations

from domain.catalogue.entry import MOOR, Entry

_RETRY = "curl --request POST --header 'Authorization: Bearer <token>' '<url>/api/operations/{operation}/retry'"

ENTRIES = (
    Entry(
        code="ApprovalRejected",
        situations=(MOOR,),
        cause="The operation was rejected by {rejected_by}{rejected_because}.",
        remedy="Nothing: what it changed is reverted. Retry asks again.",
        command=_RETRY,
    ),
    Entry(
        code="DrainDeadlineExceeded",
        situations=(MOOR,),
        cause="After {waited} the compute is still in use: {uses}.",
        remedy="Nothing was detached. Give them more time with a longer workloads.deadline, or cancel them; retry "
        "waits as long again.",
        command=_RETRY,
    ),
    Entry(
        code="ApprovalTimedOut",
        situations=(MOOR,),
        cause="Nobody answered by {until}: {question}",
        remedy="Retry asks again; approvalTimeout in the request says how long an answer may take.",
        command=_RETRY,
    ),
)
