"""
Every error that a store raises.

.. code-block:: text

    RemoteStoreError                 (Exception)   anything that fits nothing below
     +- NotFound                     (FileNotFoundError)
     +- AlreadyExists                (FileExistsError)
     +- PermissionDenied             (PermissionError)
     +- DirectoryNotEmpty            (OSError)
     +- InvalidPath                  (ValueError)
     +- CapabilityNotSupported       (NotImplementedError)
     +- PreconditionFailed                          a condition of the request did not hold
     +- ResourceLocked                              a lease or lock of somebody else
     +- BackendUnavailable           (ConnectionError)
     |   +- StoreClosed                             used after a terminal close
     +- PluginError                  (ValueError)   unknown, broken or clashing plugin

The class in parentheses is a second base, so that code written for builtin
errors works unchanged. The native exception, where there is one, is kept as
``__cause__``.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar

__all__ = [
    "AlreadyExists",
    "BackendUnavailable",
    "CapabilityNotSupported",
    "DirectoryNotEmpty",
    "InvalidPath",
    "NotFound",
    "PermissionDenied",
    "PluginError",
    "PreconditionFailed",
    "RemoteStoreError",
    "ResourceLocked",
    "StoreClosed",
    "unsupported",
]


class RemoteStoreError(Exception):
    """
    Root of the tree; raised itself for what no narrower class describes.

    Args:
        message: What happened and, where there is a next step, what to do.
        path: The path concerned. Errors of a store carry the caller's path,
            errors of a backend carry its key.
        backend: Name of the backend that failed; None for errors of the store.
        status: Status code of the service's answer (HTTP).
        code: Error code of the service.
        request_id: The service's id of the failed request.
        retry_after: Seconds that the service asked the client to wait.
        outcome_unknown: True when the request was sent and its effect cannot
            be known: it may have happened.
        others: What else failed in an operation that goes on after a failure,
            in order: a recursive listing, sum or deletion does what it can
            and then raises the first error, and this holds the rest.
    """

    #: The errno of the classes that are an OSError.
    ERRNO: ClassVar[int | None] = None

    path: str | None
    backend: str | None
    status: int | None
    code: str | None
    request_id: str | None
    retry_after: float | None
    outcome_unknown: bool
    others: tuple[Exception, ...]

    def __init__(
        self,
        message: str = "",
        *,
        path: str | None = None,
        backend: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
        others: tuple[Exception, ...] = (),
    ) -> None:
        super().__init__(message)
        self.path = path
        self.backend = backend
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.outcome_unknown = outcome_unknown
        self.others = others
        _fill_os_fields(self)

    def _shown(self) -> dict[str, object]:
        """The parts that ``str`` appends to the message, in order."""
        return {
            "path": self.path,
            "backend": self.backend,
            "others": len(self.others) or None,
        }

    def __str__(self) -> str:
        text = str(self.args[0]) if self.args else ""
        for name, value in self._shown().items():
            if value is not None:
                text += f" | {name}={value!r}"
        return text

    def __repr__(self) -> str:
        parts = [repr(self.args[0] if self.args else "")]
        fields = self._shown() | {
            "status": self.status,
            "code": self.code,
            "request_id": self.request_id,
            "retry_after": self.retry_after,
            "outcome_unknown": self.outcome_unknown or None,
        }
        parts += [f"{k}={v!r}" for k, v in fields.items() if v is not None]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # OSError has its own reduction, which would drop our fields.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _fill_os_fields(error: RemoteStoreError) -> None:
    if isinstance(error, OSError):
        error.errno = error.ERRNO
        error.filename = error.path


def _rebuild(
    cls: type[RemoteStoreError], args: tuple[Any, ...], fields: dict[str, Any]
) -> RemoteStoreError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(fields)
    _fill_os_fields(error)
    return error


class NotFound(RemoteStoreError, FileNotFoundError):
    """Raised when a file or folder definitely does not exist."""

    ERRNO: ClassVar[int | None] = errno.ENOENT


class AlreadyExists(RemoteStoreError, FileExistsError):
    """Raised when a file is at the target and ``overwrite`` is False."""

    ERRNO: ClassVar[int | None] = errno.EEXIST


class PermissionDenied(RemoteStoreError, PermissionError):
    """Raised when the service or the operating system refuses access."""

    ERRNO: ClassVar[int | None] = errno.EACCES


class DirectoryNotEmpty(RemoteStoreError, OSError):
    """Raised when a folder with children is deleted without ``recursive``."""

    ERRNO: ClassVar[int | None] = errno.ENOTEMPTY


class InvalidPath(RemoteStoreError, ValueError):
    """Raised for malformed paths and for a file where a folder is needed, or the reverse."""


class CapabilityNotSupported(RemoteStoreError, NotImplementedError):
    """
    Raised when a backend does not declare what an operation needs.

    Args:
        message: See `RemoteStoreError`.
        capability: Value of the missing capability, for example ``"glob"``.
        fields: See `RemoteStoreError`.
    """

    capability: str

    def __init__(self, message: str = "", *, capability: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.capability = capability

    def _shown(self) -> dict[str, object]:
        return super()._shown() | {"capability": self.capability or None}

    def __str__(self) -> str:
        text = super().__str__()
        alone = not any(self.args) and self.path is None and self.backend is None
        return text.removeprefix(" | ") if alone else text


def unsupported(message: str, **fields: Any) -> RemoteStoreError:
    """
    Return a `CapabilityNotSupported`.

    For the protocols' default methods: type checkers take a method that
    raises a NotImplementedError by its class for abstract, and would refuse
    to construct a class that inherits it.
    """
    return CapabilityNotSupported(message, **fields)


class PreconditionFailed(RemoteStoreError):
    """Raised when somebody else changed an object that a request depended on."""


class ResourceLocked(RemoteStoreError):
    """Raised when a lease or lock of another client blocks the operation."""


class BackendUnavailable(RemoteStoreError, ConnectionError):
    """Raised when the service cannot be reached, is overloaded or fails by itself."""

    ERRNO: ClassVar[int | None] = errno.ECONNREFUSED


class StoreClosed(BackendUnavailable):
    """Raised when a store or backend is used after it was closed."""

    ERRNO: ClassVar[int | None] = errno.ECONNABORTED


class PluginError(RemoteStoreError, ValueError):
    """Raised when a backend name is unknown, its plugin is broken, or two plugins claim it."""
