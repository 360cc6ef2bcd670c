"""What a backend says that leaves it to its caller to do something in another way."""

from __future__ import annotations

from remote_store import CapabilityNotSupported
from remote_store_conformance.contract.expect import expect

__all__ = ["declined"]


def declined(member: str, refusal: CapabilityNotSupported, changes: object) -> None:
    """
    Check how a call was refused that a backend need not carry out.

    Args:
        member: Name of the operation.
        refusal: What it raised.
        changes: What is other than before the call; nothing, or something that is false.

    Raises:
        Violation: Something was done, or the refusal is about something else.
    """
    expect(
        not changes,
        f"{member} was refused, but acted first",
        observed=changes,
        expected="a refusal without an effect",
    )
    expect(
        refusal.capability == member,
        f"the refusal of {member} names the wrong capability",
        observed=refusal.capability,
        expected=member,
    )
