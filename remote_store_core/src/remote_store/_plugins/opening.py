"""From a URL, a profile or a configuration to a backend: what both openers share."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from remote_store._plugins.references import resolve_secrets
from remote_store._types.secrets import (
    Secret,
    declared_options,
    is_secret_name,
    parts_to_hide,
    secrets_in,
    without_secrets,
)

if TYPE_CHECKING:
    from remote_store._plugins.config import RegistryConfig

__all__ = [
    "ConfiguredStore",
    "Locating",
    "configured_store",
    "construct",
    "located",
    "refuse_target",
    "scheme_of",
    "validated",
]


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
    if isinstance(target, str):
        return
    from remote_store._plugins.config import StoreProfile  # only for programs that have one

    if not isinstance(target, StoreProfile):
        msg = f"open_store takes a URL or a StoreProfile, got {type(target).__name__}"
        raise TypeError(msg)


def located(cls: type[Any], name: str, url: str, options: Mapping[str, Any]) -> Any:
    """
    Return the backend and the root path that a URL names, or a `Locating` of them.

    Args:
        cls: The backend's class.
        name: Its name.
        url: The URL.
        options: Keyword arguments of its ``from_url`` or constructor.

    Raises:
        ValueError: The backend refuses the URL or the options, or a secret
            option is blank.
        PluginError: The class declares its secret options wrongly.
    """
    from_url = getattr(cls, "from_url", None)
    if from_url is not None:
        arguments, secrets = _arguments(cls, name, options)
        secrets |= parts_to_hide(url)
        found = _called(lambda: from_url(url, **arguments), name, arguments, secrets)
        return Locating(found, name, arguments, secrets) if inspect.isawaitable(found) else found
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


class Locating:
    """
    Where a URL leads to, asked by an async ``from_url``: an awaitable.

    Args:
        found: What ``from_url`` returned.
        name: Name of the backend.
        arguments: What it got.
        secrets: What no error of it may show.
    """

    def __init__(
        self, found: Awaitable[Any], name: str, arguments: Mapping[str, Any], secrets: set[Secret]
    ) -> None:
        self._found = found
        self._hidden = name, arguments, secrets

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            return (yield from self._found.__await__())
        except Exception as error:
            shown = _shown(*self._hidden, error)
            if shown is error:
                raise
        return _raise(shown)

    def close(self) -> None:
        """Give it up where nobody will await it: a coroutine would complain."""
        if (close := getattr(self._found, "close", None)) is not None:
            close()


def construct(cls: type[Any], name: str, options: Mapping[str, Any]) -> Any:
    """
    Return a backend.

    Raises:
        ValueError: The constructor refuses the options, or a secret option is
            blank.
        PluginError: The class declares its secret options wrongly.
    """
    arguments, secrets = _arguments(cls, name, options)
    return _called(lambda: cls(**arguments), name, arguments, secrets)


def _arguments(
    cls: type[Any], name: str, options: Mapping[str, Any]
) -> tuple[dict[str, Any], set[Secret]]:
    """Return the keyword arguments that options are for a class, and the secrets among them."""
    declared = declared_options(cls, "SECRET_OPTIONS")
    public = declared_options(cls, "public_options") - declared
    arguments = resolve_secrets(options)
    for key, value in arguments.items():
        if key in public:
            arguments[key] = value.reveal() if isinstance(value, Secret) else value
            continue
        if key in declared and isinstance(value, str):
            arguments[key] = value = Secret(value)
        if not isinstance(value, Secret) and not (isinstance(value, str) and is_secret_name(key)):
            continue
        if not (value.reveal() if isinstance(value, Secret) else value).strip():
            msg = (
                f"option {key!r} of backend {name!r} is empty; set it or leave it out (an "
                "environment variable that is not set, or empty, is the usual cause)"
            )
            raise ValueError(msg)
    shown = {key: value for key, value in arguments.items() if key in public}
    hidden = {key: value for key, value in arguments.items() if key not in public}
    secrets = {*secrets_in(hidden), *secrets_in(list(shown.values()))}
    return arguments, secrets


def _called(
    function: Callable[[], Any], name: str, arguments: Mapping[str, Any], secrets: set[Secret]
) -> Any:
    try:
        return function()
    except Exception as error:
        shown = _shown(name, arguments, secrets, error)
        if shown is error:
            raise
    return _raise(shown)


def _raise(error: Exception) -> NoReturn:
    """Raise what stands in the place of an error while that is not handled: it has no context."""
    try:
        raise error
    finally:
        del error  # its traceback holds this frame


def _shown(
    name: str, arguments: Mapping[str, Any], secrets: set[Secret], error: Exception
) -> Exception:
    """Return an error of a plugin without *secrets*; a TypeError is about the arguments."""
    shown = without_secrets(error, secrets)
    return _refused(name, arguments, shown) if isinstance(error, TypeError) else shown


def _refused(name: str, arguments: Mapping[str, Any], error: Exception) -> ValueError:
    if "retry" in arguments and "unexpected keyword argument 'retry'" in str(error):
        msg = (
            f"backend {name!r} takes no retry policy, since it has nothing to repeat; "
            "remove 'retry' from the configuration of this backend"
        )
    else:
        given = ", ".join(sorted(arguments)) or "none"
        msg = f"backend {name!r} refuses its options ({given}): {error}"
    refusal = ValueError(msg)
    refusal.__cause__ = error
    return refusal


def validated(config: RegistryConfig | None) -> RegistryConfig:
    """
    Return a configuration, an empty one for None.

    Raises:
        ValueError: A store names an unknown backend.
    """
    from remote_store._plugins.config import RegistryConfig

    config = config or RegistryConfig()
    config.validate()
    return config


class ConfiguredStore(NamedTuple):
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


def configured_store(config: RegistryConfig, name: str) -> ConfiguredStore:
    """
    Return where the store *name* is.

    Raises:
        KeyError: There is no such store.
    """
    if name not in config.stores:
        from remote_store._plugins.config import no_store

        raise KeyError(no_store(name, config.stores))
    profile = config.stores[name]
    backend = config.backends[profile.backend]
    options = {**backend.options, **profile.options}
    if backend.retry is not None:
        options.setdefault("retry", backend.retry)
    key = f"store:{name}" if profile.options else f"backend:{profile.backend}"
    return ConfiguredStore(key, backend.type.lower(), options, profile.root_path)
