"""From a URL, a profile or a configuration to a backend: what both openers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from remote_store._config import RegistryConfig, StoreProfile, resolve_secrets

__all__ = ["Place", "construct", "located", "place_of", "refuse_target", "scheme_of"]


def scheme_of(url: str) -> str:
    """
    Return the name of the backend that a URL is for.

    Raises:
        ValueError: It has no scheme.
    """
    scheme, colon, _ = url.partition(":")
    # A single letter is a Windows drive.
    if not colon or len(scheme) < 2 or not scheme.isascii():
        msg = "a store's URL starts with the name of a backend, as in 'local:///srv/data'"
        raise ValueError(msg)
    return scheme.lower()


def refuse_target(target: object) -> None:
    """
    Refuse what cannot be opened.

    Raises:
        TypeError: *target* is neither a str nor a profile.
    """
    if not isinstance(target, (str, StoreProfile)):
        msg = f"open_store takes a URL or a StoreProfile, got {type(target).__name__}"
        raise TypeError(msg)


def located(cls: type[Any], name: str, url: str, options: Mapping[str, Any]) -> Any:
    """
    Return backend and root path that a URL tells, or an awaitable of them.

    Args:
        cls: The backend's class.
        name: Its name.
        url: The URL.
        options: Keyword arguments of its ``from_url`` or constructor.

    Raises:
        ValueError: The backend refuses the URL or the options.
    """
    from_url = getattr(cls, "from_url", None)
    if from_url is not None:
        try:
            return from_url(url, **resolve_secrets(options))
        except TypeError as error:
            raise _refused(name, options, error) from error
    from urllib.parse import unquote, urlsplit  # only here: they bring ipaddress along

    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment:
        # The URL is not repeated: what it holds may be a credential.
        msg = (
            f"backend {name!r} reads only a path from a URL ({name}:///folder); "
            "pass everything else as options"
        )
        raise ValueError(msg)
    return construct(cls, name, options), unquote(parts.path).strip("/")


def construct(cls: type[Any], name: str, options: Mapping[str, Any]) -> Any:
    """
    Return a backend.

    Raises:
        ValueError: The constructor refuses the options.
    """
    try:
        return cls(**resolve_secrets(options))
    except TypeError as error:
        raise _refused(name, options, error) from error


def _refused(name: str, options: Mapping[str, Any], error: TypeError) -> ValueError:
    given = ", ".join(sorted(options)) or "none"
    return ValueError(f"backend {name!r} refuses its options ({given}): {error}")


@frozen
class Place:
    """
    Where a store of a configuration is.

    Args:
        key: The same for stores that share a backend.
        backend: Name of the backend's plugin, in lower case.
        options: Keyword arguments of its constructor.
        root_path: Root of the store.
    """

    key: str
    backend: str
    options: dict[str, Any]
    root_path: str


def place_of(config: RegistryConfig, name: str) -> Place:
    """
    Return where the store *name* is.

    Raises:
        KeyError: There is no such store.
    """
    if name not in config.stores:
        known = ", ".join(sorted(config.stores)) or "none"
        msg = f"no store {name!r} in the configuration; known: {known}"
        raise KeyError(msg)
    profile = config.stores[name]
    backend = config.backends[profile.backend]
    options = {**backend.options, **profile.options}
    if backend.retry is not None:
        options.setdefault("retry", backend.retry)
    key = f"store:{name}" if profile.options else f"backend:{profile.backend}"
    return Place(key, backend.type.lower(), options, profile.root_path)
