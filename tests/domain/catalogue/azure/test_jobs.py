"""Jobs, and detach, which they block: whose words are these, and what they do not mean."""

from __future__ import annotations

import pytest

from domain.catalogue.azure import jobs
from domain.problems import AzureAnswer
from tests.domain.catalogue.shelf import resolved

# Code or message, as Microsoft's troubleshooting pages and public issues give them -> Moor's code.
LITERALS = [
    ("job", None, "Job failed. 137", "ProxyCatchesLoopback"),
    ("job", None, "Job failed. E45004", "TrainingNotEnabled"),
    ("job", None, "Job failed. 400", "TokenServiceUnreachable"),
    ("job", None, "Give either an account key or SAS token", "ComputeIdentityMissing"),
    ("job", None, "AzureBlob authorization failed", "StorageRefused"),
    ("job", "9", "Invalid instance type: exceeded the node size", "InstanceTypeTooLarge"),
    ("job", "DataAccessError", "", "DataNotMounted"),
    ("job", "ImagePullBackOff", "", "ImageNotPulled"),
    ("detach", None, "There are running jobs on the compute.", "ComputeInUse"),
    ("detach", None, "Access denied", "WorkspaceIdentityLacksRole"),
    ("job", "Queued", "", "JobStuckQueued"),
    ("job", None, "3 Insufficient nvidia.com/gpu", "GpuNotDetected"),
    ("detach", "BadRequest", "Compute gpu is still in use.", "ComputeInUse"),
    ("detach", None, "There are in-progress runs on it.", "ComputeInUse"),
    ("detach", None, "AKS role check failed", "WorkspaceIdentityLacksRole"),
    ("detach", "Conflict", "The compute is being created.", "AttachStillLeft"),
    ("job", None, "Azure Machine Learning Kubernetes job failed. 137:PodPattern matched: {}", "ProxyCatchesLoopback"),
    ("job", None, "err=no volume plugin matched", "DownloadModeUnsupported"),
]
# Words that come near those of an entry, or that mean something in another situation only.
NEAR_MISSES = [
    ("job", "Job failed. 1370"),
    ("job", "Job failed. 4001"),
    ("job", "E450041"),
    ("job", "the GPU was found"),
    ("detach", "The compute is not in use."),
    ("detach", "There are no jobs on the compute."),
    ("attach", "There are running jobs on the compute."),
    ("job", "There are running jobs on the compute."),
]


@pytest.mark.parametrize(("situation", "code", "message", "expected"), LITERALS)
def test_a_literal_of_the_sources_is_explained(situation: str, code: str | None, message: str, expected: str) -> None:
    assert resolved(jobs.ENTRIES, situation, AzureAnswer(code, message)) == expected


@pytest.mark.parametrize(("situation", "message"), NEAR_MISSES)
def test_a_near_miss_is_not(situation: str, message: str) -> None:
    assert resolved(jobs.ENTRIES, situation, AzureAnswer(None, message)) is None


def test_a_mount_without_a_credential_is_no_missing_role() -> None:
    mount = "Unable to mount data store workspaceblobstore. "
    said = AzureAnswer(None, mount + "Give either an account key or SAS token")
    assert resolved(jobs.ENTRIES, "job", said) == "ComputeIdentityMissing"
    assert resolved(jobs.ENTRIES, "job", AzureAnswer(None, mount)) == "DataNotMounted"


def test_a_detach_that_azure_still_works_at_is_transient() -> None:
    assert {entry.code for entry in jobs.ENTRIES if entry.transient} == {"AttachStillLeft"}
