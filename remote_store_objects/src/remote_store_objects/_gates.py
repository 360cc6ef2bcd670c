"""What is refused before any request, since the service cannot do it, and what is declared."""

from __future__ import annotations

from remote_store import CapabilityNotSupported
from remote_store_objects._protocol.description import Condition
from remote_store_objects._session.session import Session

__all__ = ["refuse_unexclusive", "refuse_unmatched"]


def refuse_unexclusive(session: Session, key: str) -> None:
    """
    Refuse an exclusive change where the service cannot decide it.

    Raises:
        CapabilityNotSupported: It cannot.
    """
    if Condition.PUT_IF_ABSENT not in session.description.conditions:
        msg = (
            "the service has no conditional writes, so that overwrite=False cannot be decided: "
            "a check before the write would exclude nobody; pass overwrite=True"
        )
        raise CapabilityNotSupported(
            msg, path=key, backend=session.name, capability="conditional_write"
        )


def refuse_unmatched(session: Session, key: str) -> None:
    """
    Refuse to replace one version where the service cannot decide it.

    Raises:
        CapabilityNotSupported: It cannot.
    """
    description = session.description
    if not description.etags or Condition.PUT_IF_MATCH not in description.conditions:
        msg = (
            "the service does not look at versions when it writes, so that if_match cannot be "
            "decided: a check before the write would lose a change made in between"
        )
        raise CapabilityNotSupported(
            msg, path=key, backend=session.name, capability="conditional_write"
        )
