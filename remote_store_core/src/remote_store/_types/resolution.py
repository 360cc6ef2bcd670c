"""Where a key is, told without looking."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from remote_store._types.secrets import redact_url

__all__ = ["ResolutionPlan"]


def _read_only(details: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType({k: _shown(v) if isinstance(v, str) else v for k, v in details.items()})


def _shown(text: str) -> str:
    # Whatever a backend hands over: a plan is made to be printed.
    return redact_url(text) if "://" in text else text


@frozen
class ResolutionPlan:
    """
    How a key maps to storage; made without I/O.

    Args:
        kind: Kind of the mapping, normally the backend's name.
        backend: Name of the backend.
        key: The key as the caller gave it.
        native_path: The same in the backend's own notation; of a URL without
            its credentials.
        details: More, in JSON-friendly values; read-only. Never a secret: of
            URLs without their credentials.
    """

    kind: str
    backend: str
    key: str
    native_path: str = field(converter=_shown)
    details: Mapping[str, object] = field(converter=_read_only)

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be pickled; the dict behind it can.
        fields = (self.kind, self.backend, self.key, self.native_path, dict(self.details))
        return ResolutionPlan, fields
