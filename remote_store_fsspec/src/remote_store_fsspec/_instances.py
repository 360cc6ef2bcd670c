"""How fsspec tells filesystems apart: by all that they were made with, secrets included."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from fsspec import AbstractFileSystem

from remote_store import RegistryConfig, Secret, redact_url
from remote_store.aio import AsyncStore

__all__ = ["Instances", "sealed"]

#: A value that only refers to a secret, and is none.
_REFERENCE: Final = re.compile(r"\$\{[^{}]*\}")


class Instances(type(AbstractFileSystem)):  # type: ignore[misc] # which has no types
    """
    The class of the filesystem's class, which keeps its instances.

    fsspec gives the same instance, and the same token to Dask, for arguments
    of the same text. All secrets have the same text, and so have all stores
    over one kind of backend; a filesystem must not be taken for another one.
    """

    @property
    def configuration(cls) -> str | None:
        """Path of the configuration that names of stores belong to; part of the token."""
        return os.environ.get("REMOTE_STORE_CONFIG")

    def __call__(cls, *args: Any, **options: Any) -> Any:
        """Return the instance for these arguments."""
        if args:
            store, *more = args
            if more or "store" in options:
                msg = "a filesystem takes one positional argument, its store"
                raise TypeError(msg)
            options["store"] = store
        options = {name: _plain(value) for name, value in options.items()}
        if not isinstance(options.get("store"), AsyncStore):
            return super().__call__(**options)
        found = super().__call__(**options, skip_instance_cache=True)
        found._fs_token_ = uuid.uuid4().hex
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def sealed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options in which secrets do not show themselves, nor a URL that holds one."""
    # The core knows which options are credentials; this is its public door.
    found = RegistryConfig.from_dict({"backends": {"": {"type": "", "options": options}}})
    safe = dict(found.backends[""].options)
    for name, value in options.items():
        if isinstance(value, str):
            if _REFERENCE.fullmatch(value):
                safe[name] = value
            elif name == "store" and redact_url(value) != value:
                safe[name] = Secret(value)
    return safe
