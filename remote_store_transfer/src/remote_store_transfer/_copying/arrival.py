"""What a copy came to."""

from __future__ import annotations

from attrs import frozen

from remote_store import RemoteStoreError, WriteResult

__all__ = ["Answer", "Arrival"]


@frozen
class Arrival:
    """
    What became of a copy that arrived.

    Args:
        size: Bytes.
        metadata_left_out: The source has user metadata that the target cannot keep.
        time_left_out: The source's time could not be restored.
    """

    size: int
    metadata_left_out: bool = False
    time_left_out: bool = False


@frozen
class Answer:
    """
    What a storage told of a copy that it was asked for together with others.

    Args:
        result: What it tells of what it made; None if it tells nothing.
        error: Why it did not.
    """

    result: WriteResult | None
    error: RemoteStoreError | None = None

    def get(self) -> WriteResult | None:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result
