"""What became of the attempts of a request."""

from __future__ import annotations

from remote_store_azure._rest.operations import Operation

__all__ = ["AttemptRecord"]


class AttemptRecord:
    """What became of the attempts of a request."""

    #: What the request is; None for those of the SDK's clients that we know nothing of.
    operation: Operation | None = None
    #: There was an attempt before the one that was answered.
    resent = False
    #: An attempt ended without an answer of the service, and may have been carried out.
    lost = False
    #: An attempt is on its way, or ended with an answer that is not repeated.
    pending = False

    def in_doubt(self) -> bool:
        """Return whether an attempt was lost, or is on its way."""
        return self.lost or self.pending
