"""Conditional headers, decided against what is there at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hns_emulator._errors import Refused, ServiceError, UnverifiedError
from hns_emulator._state.clock import etag, seconds, unix_seconds
from hns_emulator._state.tree import Node

__all__ = ["Conditions", "parse_conditions"]

_NAMES = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


@dataclass(frozen=True, slots=True)
class Conditions:
    """
    At most one condition on a path.

    Attributes:
        name: The header without its `x-ms-source-` prefix, empty for no condition.
        value: As it was sent.
    """

    name: str
    value: str

    @property
    def exclusive(self) -> bool:
        """Whether it is `If-None-Match: *`: the path must not exist."""
        return self.name == "if-none-match" and self.value == "*"

    def holds(self, node: Node) -> bool:
        """Return True if it holds for what is there; `exclusive` never does."""
        if self.name in {"if-match", "if-none-match"}:
            same = self.value in ("*", f'"{etag(node.changed)}"')
            return same == (self.name == "if-match")
        if not self.name:
            return True
        since = unix_seconds(self.value)
        if since is None:
            raise Refused(code="InvalidHeaderValue", detail=f"{self.name}: {self.value}")
        modified = seconds(node.changed) > since
        return modified == (self.name == "if-modified-since")

    def require(self, node: Node, failed: str, exists: str | None = None) -> None:
        """
        Raise unless it holds for what is there.

        Args:
            node: What is there.
            failed: The code for a condition that does not hold.
            exists: The code for `If-None-Match: *`; None where it is unknown.

        Raises:
            ServiceError: With one of the codes.
            UnverifiedError: For `If-None-Match: *` where the code is unknown.
        """
        if self.exclusive:
            if exists is None:
                raise UnverifiedError(operation="If-None-Match: * on something that must exist")
            raise ServiceError(code=exists)
        if not self.holds(node):
            raise ServiceError(code=failed)

    def require_absent(self, failed: str | None) -> None:
        """
        Raise unless it holds for a path where nothing is.

        Args:
            failed: The code for If-Match; None where it is unknown.

        Raises:
            ServiceError: If-Match, with that code.
            UnverifiedError: What the service answers is unknown.
        """
        if not self.name or self.name == "if-none-match":
            return
        if failed is None or self.name != "if-match":
            raise UnverifiedError(operation=f"{self.name} on a path that does not exist")
        raise ServiceError(code=failed)


def parse_conditions(headers: Mapping[str, str], *, source: bool = False) -> Conditions:
    """
    Return the condition that a request carries.

    Args:
        headers: Names in lower case.
        source: Look at `x-ms-source-if-*`.

    Raises:
        Refused: Two of a kind.
        UnverifiedError: A condition on the ETag together with one on the time.
    """
    prefix = "x-ms-source-" if source else ""
    given = [name for name in _NAMES if f"{prefix}{name}" in headers]
    if not given:
        return Conditions("", "")
    if len(given) > 1:
        kinds = {name.endswith("since") for name in given}
        if len(given) > len(kinds):
            raise Refused(code="MultipleConditionHeadersNotSupported", detail=" and ".join(given))
        raise UnverifiedError(operation=f"{' with '.join(given)}")
    return Conditions(given[0], headers[f"{prefix}{given[0]}"].strip())
