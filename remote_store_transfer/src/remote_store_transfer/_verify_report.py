"""What a comparison of two trees reports."""

from __future__ import annotations

from attrs import frozen

from remote_store_transfer._values import Failure

__all__ = ["VerifyReport"]


@frozen
class VerifyReport:
    """
    How two trees differ.

    Args:
        equal: Files that are equal.
        differing: Paths whose files differ.
        missing: Paths that only the source has.
        extra: Paths that only the target has.
        failures: What could not be listed or compared.
        seconds: How long it took.
        links_left_out: Links to folders, or out of the source, that were not followed.
        names_left_out: Whether a listing met names that no path can have.
    """

    equal: int = 0
    differing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    links_left_out: int = 0
    names_left_out: bool = False

    @property
    def ok(self) -> bool:
        """True if all that the source has is in the target; False also where that is not known."""
        unknown = self.failures or self.links_left_out or self.names_left_out
        return not (self.differing or self.missing or unknown)
