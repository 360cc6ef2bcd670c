"""What a backend says that does no more for many files together than for one after the other."""

from __future__ import annotations

from remote_store import CapabilityNotSupported
from remote_store_conformance.contract.expect import expect

__all__ = ["declined"]


def declined(member: str, error: CapabilityNotSupported, left: object, before: object) -> None:
    """
    Check how a call for many files was refused.

    Args:
        member: Name of the operation.
        error: The refusal.
        left: What is there now.
        before: What was there before the call.

    Raises:
        Violation: It is about something else, or something was done.
    """
    expect(
        left == before,
        f"{member} was refused, but acted first",
        observed=left,
        expected=before,
    )
    expect(
        error.capability == member,
        f"the refusal of {member} names the wrong capability",
        observed=error.capability,
        expected=member,
    )
