"""Configuration: where stores live, from dicts, TOML and the environment."""

from __future__ import annotations

import logging
import math
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self, cast

from attrs import Factory, field, fields_dict, frozen, validators

from remote_store._hooks import hub

__all__ = [
    "BackendConfig",
    "RegistryConfig",
    "RetryPolicy",
    "Secret",
    "SecretRedactionFilter",
    "StoreProfile",
    "resolve_env",
    "resolve_secrets",
]

#: Options of a backend whose strings become `Secret` when they are read.
_SECRET_OPTIONS: Final = frozenset(
    {
        "key",
        "secret",
        "password",
        "account_key",
        "sas_token",
        "connection_string",
        "client_secret",
        "client_certificate",
    }
)

#: An escape, a secret's reference, or a variable; of a malformed one only its ``${``.
_VARIABLE: Final = re.compile(
    r"\$\$\{|\$\{secret:[^}]*|\$\{(?:([^{}:$]+)(?::-((?:(?!\$\{)[^}])*))?\})?"
)
_SECRET_REFERENCE: Final = re.compile(r"(\$?)\$\{secret:([^}]+)\}")


class Secret:
    """
    A string that never shows itself: not in ``repr``, ``str`` or logs.

    Equal only to another Secret of the same value. Copies and pickles keep
    the value.

    Args:
        value: The secret.

    Raises:
        TypeError: *value* is not a str.
    """

    __slots__ = ("_value",)

    _value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            msg = f"a secret must be a str, got {type(value).__name__}"
            raise TypeError(msg)
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """Return the plain text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __setattr__(self, name: str, value: object) -> None:
        msg = "Secret is immutable"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> None:
        msg = "Secret is immutable"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[Any, ...]:
        return Secret, (self._value,)


class SecretRedactionFilter(logging.Filter):
    """A logging filter that replaces each `Secret` among a record's arguments with ``***``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact *record* in place and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple("***" if isinstance(a, Secret) else a for a in record.args)
        elif isinstance(record.args, Mapping):
            record.args = {k: "***" if isinstance(a, Secret) else a for k, a in record.args.items()}
        return True


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
        ValueError: *max_attempts* is no whole number from 1 on, *timeout* is
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
        options: Keyword arguments of its constructor.
        retry: Handed to the constructor as ``retry`` when it is set.
    """

    type: str
    options: Mapping[str, Any] = Factory(dict)
    retry: RetryPolicy | None = None


@frozen
class StoreProfile:
    """
    A store by name.

    Args:
        backend: Name of a backend of the same configuration; for
            `open_store`, of a plugin.
        root_path: Folder of the backend that is the store's root.
        options: Keyword arguments for the constructor, over the backend's own.
    """

    backend: str
    root_path: str = ""
    options: Mapping[str, Any] = Factory(dict)


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

        String options that hold credentials become `Secret`.

        Args:
            data: ``{"backends": {name: {"type", "options", "retry"}},
                "stores": {name: {"backend", "root_path", "options"}}}``.

        Raises:
            TypeError: A section is no mapping, or a name or type is no str.
            KeyError: A backend without ``type``, a store without ``backend``.
            ValueError: A backend, store or retry policy has an unknown key,
                or a retry policy breaks a rule; the message names the place.
        """
        for key in data:
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
    ) -> Self:
        """
        Read a configuration from a TOML file.

        Args:
            path: The file.
            table: Keys that lead to the configuration inside the file, for
                example ``("tool", "remote-store")``.
            resolve_env_vars: Replace ``${VAR}`` in values, see `resolve_env`.

        Raises:
            OSError: The file cannot be read.
            tomllib.TOMLDecodeError: It is no TOML.
            KeyError: *table* is missing, or a variable is not set.
            TypeError, ValueError: As `from_dict` and `resolve_env`.
        """
        import tomllib  # only programs that use TOML pay for the parser

        with open(path, "rb") as file:
            data: Any = tomllib.load(file)
        for key in table:
            data = data[key]
        if resolve_env_vars:
            data = resolve_env(data)
        return cls.from_dict(_section(".".join(table) or "the configuration", data))


def _section(where: str, value: object) -> Mapping[str, Any]:
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
    return {
        key: Secret(value) if key in _SECRET_OPTIONS and isinstance(value, str) else value
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


def resolve_env(data: Any, *, environ: Mapping[str, str] | None = None) -> Any:
    """
    Return a copy of *data* with the variables in its strings replaced.

    ``${VAR}`` is the variable, ``${VAR:-default}`` its value or the default
    when it is not set, ``$${`` a literal ``${``. A default holds no variable.
    Values of mappings and items of lists are visited, keys are not.
    ``${secret:...}`` is left alone: it is resolved when the backend is built.
    So is ``$${secret:...}`` as a whole value, which becomes text then.

    Args:
        data: Dicts, lists and scalars.
        environ: Variables; ``os.environ`` if None.

    Raises:
        KeyError: A variable is not set and has no default; the message names
            it and the place.
        ValueError: A ``${`` is followed by neither form; the message names
            the place, and nothing of the text, which may be a credential.
    """
    return _resolve(data, os.environ if environ is None else environ, "$")


def _resolve(data: Any, environ: Mapping[str, str], where: str) -> Any:
    if isinstance(data, Mapping):
        return {key: _resolve(value, environ, f"{where}.{key}") for key, value in data.items()}
    if isinstance(data, list):
        return [_resolve(item, environ, f"{where}[{i}]") for i, item in enumerate(data)]
    if not isinstance(data, str):
        return data
    if (match := _SECRET_REFERENCE.fullmatch(data)) and match[1]:
        return data

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[0].startswith("${secret:"):
            return match[0]
        name, default = match.groups()
        if name is None:
            msg = (
                f"malformed variable at {where}: write ${{NAME}}, ${{NAME:-default}} "
                "without a variable in the default, or $${ for a literal ${"
            )
            raise ValueError(msg)
        value = environ.get(name, default)
        if value is None:
            msg = f"environment variable {name!r} is not set (needed at {where})"
            raise KeyError(msg)
        return value

    return _VARIABLE.sub(replaced, data)


def resolve_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *options* with each value ``${secret:REFERENCE}`` answered by a plugin.

    The value ``$${secret:REFERENCE}`` becomes the text ``${secret:REFERENCE}``.

    Raises:
        ValueError: No plugin knows the reference; the message names the
            option and the reference, never a value.
    """
    resolved = dict(options)
    for key, value in options.items():
        text = value.reveal() if isinstance(value, Secret) else value
        match = _SECRET_REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            continue
        escaped, reference = match.groups()
        if escaped:
            resolved[key] = type(value)(match[0][1:])
            continue
        answer = hub.secret(reference)
        if answer is None:
            msg = f"no plugin resolves the secret {reference!r} of option {key!r}"
            raise ValueError(msg)
        resolved[key] = Secret(answer)
    return resolved
