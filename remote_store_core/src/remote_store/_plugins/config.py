"""Configuration: where stores live, from dicts, TOML and the environment."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, cast

from attrs import Factory, field, fields_dict, frozen, validators

from remote_store._plugins.references import resolve_env
from remote_store._types.path import text_of
from remote_store._types.secrets import Secret, is_secret_name, shown_options

__all__ = [
    "BackendConfig",
    "RegistryConfig",
    "RetryPolicy",
    "StoreProfile",
]


def _shown(options: object) -> str:
    return repr(shown_options(options))


def _numeric(*kinds: type) -> Callable[[object, Any, object], None]:
    """Return a validator of finite numbers, of these types only where some are given."""

    def check(instance: object, attribute: Any, value: object) -> None:
        number = isinstance(value, kinds or (int, float)) and not isinstance(value, bool)
        try:
            finite = number and math.isfinite(cast("float", value))
        except OverflowError:  # an int beyond all floats
            finite = False
        if not finite:
            what = "a whole number" if kinds else "a finite number"
            msg = f"{attribute.name!r} must be {what}, got {value!r}"
            raise ValueError(msg)

    return check


@frozen
class RetryPolicy:
    """
    How often and how patiently a backend repeats a request that failed.

    Args:
        max_attempts: Tries in all, the first one included.
        backoff_base: Seconds before the second try; each wait after it is
            twice as long.
        backoff_max: Longest wait, in seconds.
        jitter: At most so many random seconds are added to each wait.
        timeout: Seconds for everything together; None for no limit.

    Raises:
        ValueError: *max_attempts* is not a whole number from 1 on, *timeout* is
            not positive, or another value is negative or no finite number.
    """

    max_attempts: int = field(default=3, validator=[_numeric(int), validators.ge(1)])
    backoff_base: float = field(default=1.0, validator=[_numeric(), validators.ge(0)])
    backoff_max: float = field(default=60.0, validator=[_numeric(), validators.ge(0)])
    jitter: float = field(default=1.0, validator=[_numeric(), validators.ge(0)])
    timeout: float | None = field(
        default=None, validator=validators.optional([_numeric(), validators.gt(0)])
    )

    @classmethod
    def disabled(cls) -> Self:
        """Return a policy that never repeats a request."""
        return cls(max_attempts=1)


@frozen
class BackendConfig:
    """
    A backend that stores can live on.

    Args:
        type: Name of its plugin, see `remote_store.list_backends`.
        options: Keyword arguments of its constructor. ``repr`` hides what is
            secret among them, whether it is a `Secret` or not.
        retry: Handed to the constructor as ``retry`` when it is set.
    """

    type: str
    options: Mapping[str, Any] = field(factory=dict, repr=_shown)
    retry: RetryPolicy | None = None


@frozen
class StoreProfile:
    """
    A store by name.

    Args:
        backend: Name of a backend of the same configuration; for
            `open_store`, of a plugin.
        root_path: Folder of the backend that is the store's root; kept as text.
        options: Keyword arguments for the constructor, over the backend's own.
    """

    backend: str
    root_path: str = field(default="", converter=text_of)
    options: Mapping[str, Any] = field(factory=dict, repr=_shown)


@frozen
class RegistryConfig:
    """
    Backends and the stores on them.

    Args:
        backends: Name to `BackendConfig`.
        stores: Name to `StoreProfile`.
    """

    backends: Mapping[str, BackendConfig] = Factory(dict)
    stores: Mapping[str, StoreProfile] = Factory(dict)

    def validate(self) -> None:
        """
        Check that each store's backend exists.

        Raises:
            ValueError: One does not; the message names both.
        """
        for name, profile in self.stores.items():
            if profile.backend not in self.backends:
                known = ", ".join(sorted(self.backends)) or "none"
                msg = f"store {name!r} names unknown backend {profile.backend!r}; known: {known}"
                raise ValueError(msg)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """
        Read a configuration from plain data.

        String options that hold credentials, by their names, become `Secret`.

        Args:
            data: ``{"backends": {name: {"type", "options", "retry"}},
                "stores": {name: {"backend", "root_path", "options"}}}``.

        Raises:
            TypeError: *data* or a section is not a mapping (None is not
                one), or a name or type is not a str.
            KeyError: A backend without ``type``, a store without ``backend``.
            ValueError: A backend, store or retry policy has an unknown key,
                or a retry policy breaks a rule; the message names the place.
        """
        for key in _section("the configuration", data):
            if key not in ("backends", "stores"):
                msg = f"unknown key {key!r} in the configuration is ignored"
                warnings.warn(msg, UserWarning, stacklevel=2)
        return cls(
            backends={
                name: _backend_config(f"backends.{name}", _section(f"backends.{name}", entry))
                for name, entry in _section("backends", data.get("backends", {})).items()
            },
            stores={
                name: _store_profile(f"stores.{name}", _section(f"stores.{name}", entry))
                for name, entry in _section("stores", data.get("stores", {})).items()
            },
        )

    @classmethod
    def from_toml(
        cls,
        path: str | os.PathLike[str],
        *,
        table: Sequence[str] = (),
        resolve_env_vars: bool = False,
        stores: Iterable[str] | None = None,
    ) -> Self:
        """
        Read a configuration from a TOML file.

        Args:
            path: The file.
            table: Keys that lead to the configuration inside the file, for
                example ``("tool", "remote-store")``.
            resolve_env_vars: Replace ``${VAR}`` in values, see `resolve_env`.
            stores: Names of the stores to read, with their backends; None for
                all. Of the others nothing is needed, no variable either.

        Raises:
            OSError: The file cannot be read.
            tomllib.TOMLDecodeError: It is not TOML, or not UTF-8.
            KeyError: *table* or one of *stores* is missing, or a variable is
                not set.
            TypeError, ValueError: As `from_dict` and `resolve_env`.
        """
        data: Any = read_toml(path)
        for depth, key in enumerate(table):
            where = ".".join(table[:depth]) or "the file"
            if key not in _section(where, data):
                msg = f"{where} has no table {key!r} (table={tuple(table)!r})"
                raise KeyError(msg)
            data = data[key]
        data = _section(".".join(table) or "the configuration", data)
        if stores is not None:
            data = _only(data, stores, resolve_env if resolve_env_vars else dict)
        return cls.from_dict(resolve_env(data) if resolve_env_vars else data)


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """
    Return what is in a TOML file, with or without a byte order mark.

    Raises:
        OSError: It cannot be read.
        tomllib.TOMLDecodeError: It is not TOML, or not UTF-8.
    """
    import tomllib  # only programs that use TOML pay for the parser

    with open(path, "rb") as file:
        content = file.read()
    try:
        # Editors of some systems write a mark at the beginning, which is none of TOML.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        msg = f"the file is no UTF-8, as TOML must be; save it as UTF-8 ({error.reason})"
        raise tomllib.TOMLDecodeError(msg) from error
    except RecursionError as error:
        msg = "the file nests arrays or tables deeper than the parser can follow"
        raise tomllib.TOMLDecodeError(msg) from error


def _only(
    data: Mapping[str, Any], stores: Iterable[str], resolved: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return what is said of these stores and of their backends."""
    found = _section("stores", data.get("stores", {}))
    wanted = {}
    for name in stores:
        if name not in found:
            raise KeyError(no_store(name, found))
        wanted[name] = _section(f"stores.{name}", found[name])
    backends = _section("backends", data.get("backends", {}))
    # A place as the whole file has it: it is what an error names.
    named = {name: {"backend": entry.get("backend")} for name, entry in wanted.items()}
    used = [store["backend"] for store in resolved({"stores": named})["stores"].values()]
    kept = {name: entry for name, entry in backends.items() if name in used}
    return {**data, "backends": kept, "stores": wanted}


def no_store(name: str, stores: Iterable[str]) -> str:
    """Return the message about a store that a configuration lacks."""
    known = ", ".join(sorted(stores)) or "none"
    return f"no store {name!r} in the configuration; known: {known}"


def _section(where: str, value: object) -> Mapping[str, Any]:
    if value is None:
        msg = f"{where} is null; leave it out, or give it a table"
        raise TypeError(msg)
    if not isinstance(value, Mapping):
        msg = f"{where} must be a table, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def _text(where: str, entry: Mapping[str, Any], key: str) -> str:
    if key not in entry:
        msg = f"{where} has no {key!r}"
        raise KeyError(msg)
    value = entry[key]
    if not isinstance(value, str):
        msg = f"{where}.{key} must be a str, got {type(value).__name__}"
        raise TypeError(msg)
    return value


def _options(where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    options = _section(f"{where}.options", entry.get("options", {}))
    for key in options:
        if not isinstance(key, str):
            msg = f"the names in {where}.options must be str, got {key!r}"
            raise TypeError(msg)
    return {
        key: Secret(value) if isinstance(value, str) and is_secret_name(key) else value
        for key, value in options.items()
    }


def _known(where: str, entry: Mapping[str, Any], *keys: str) -> None:
    for key in entry:
        if key not in keys:
            msg = f"unknown key {key!r} in {where}; known: {', '.join(keys)}"
            raise ValueError(msg)


def _backend_config(where: str, entry: Mapping[str, Any]) -> BackendConfig:
    _known(where, entry, "type", "options", "retry")
    retry = entry.get("retry")
    if retry is not None and not isinstance(retry, RetryPolicy):
        retry = _retry_policy(f"{where}.retry", retry)
    return BackendConfig(_text(where, entry, "type"), _options(where, entry), retry)


def _retry_policy(where: str, value: object) -> RetryPolicy:
    entry = _section(where, value)
    _known(where, entry, *fields_dict(RetryPolicy))
    try:
        return RetryPolicy(**entry)
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from error


def _store_profile(where: str, entry: Mapping[str, Any]) -> StoreProfile:
    _known(where, entry, "backend", "root_path", "options")
    root_path = "" if entry.get("root_path") is None else _text(where, entry, "root_path")
    return StoreProfile(_text(where, entry, "backend"), root_path, _options(where, entry))
