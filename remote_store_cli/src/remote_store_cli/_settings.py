"""The options that every command with a location takes, and what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from attrs import frozen

from remote_store import RegistryConfig, Secret, resolve_env
from remote_store_cli._console import hide
from remote_store_cli._outcome import InvalidCommand, reason_of
from remote_store_cli._parameters import STORES, FilePath, option

__all__ = ["BackendOptions", "Stores", "read_config"]


@frozen
class Stores:
    """What is known of the stores that a command names."""

    config: Annotated[
        Path | None,
        option(
            "--config",
            type=FilePath(),
            envvar="REMOTE_STORE_CONFIG",
            help="TOML file with the stores that @NAME refers to.",
            metavar="FILE",
            panel=STORES,
        ),
    ] = None
    options: Annotated[
        Sequence[str],
        option(
            "--option",
            "-o",
            multiple=True,
            help="Option of the backend of a URL: KEY=TEXT, KEY:=JSON, SCHEME:KEY=TEXT. "
            "Repeatable.",
            metavar="KEY=VALUE",
            panel=STORES,
        ),
    ] = ()


_OPTION: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):)?(?P<key>[A-Za-z_]\w*)(?P<kind>:?=)(?P<value>.*)",
    re.DOTALL | re.ASCII,
)


@frozen
class BackendOptions:
    """The ``--option`` values of one command, in the order in which they were given."""

    _given: tuple[tuple[str | None, str, Any], ...] = ()

    @classmethod
    def parse(cls, texts: Iterable[str]) -> BackendOptions:
        """
        Read ``KEY=TEXT``, ``KEY:=JSON`` and both after ``SCHEME:``.

        Raises:
            InvalidCommand: A text is neither, its JSON is malformed, or it names
                an environment variable that is not set or malformed.
        """
        return cls(tuple(_parsed(text) for text in texts))

    def of(self, scheme: str, *, unscoped: bool = True) -> dict[str, Any]:
        """
        Return the options for a URL of *scheme*; those named like a credential as `Secret`.

        Args:
            scheme: The scheme.
            unscoped: Also those that are for no scheme in particular.
        """
        takes = (None, scheme) if unscoped else (scheme,)
        options = {key: value for for_, key, value in self._given if for_ in takes}
        return _with_secrets(scheme, options)

    def check_used(self, schemes: Iterable[str]) -> None:
        """
        Refuse an option that no location of the command would get.

        Raises:
            InvalidCommand: There is one.
        """
        present = set(schemes)
        for scheme, key, _ in self._given:
            if not present or (scheme is not None and scheme not in present):
                msg = f"option {key!r} is for no location of this command; it takes only URLs' ones"
                raise InvalidCommand(msg)


def _parsed(text: str) -> tuple[str | None, str, Any]:
    match = _OPTION.fullmatch(text)
    if match is None:
        # Its text is not repeated: it may be a credential.
        msg = "an --option is KEY=TEXT or KEY:=JSON, with SCHEME: before it for one plugin only"
        raise InvalidCommand(msg)
    key, value = match["key"], match["value"]
    scheme = match["scheme"].lower() if match["scheme"] else None
    if match["kind"] == ":=":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:  # too many digits, too deep
            msg = f"option {key!r} is no JSON; for plain text write {key}=TEXT"
            raise InvalidCommand(msg) from error
    try:
        return scheme, key, resolve_env(value)
    except (KeyError, ValueError) as error:
        msg = f"option {key!r}: {error.args[0]}"
        raise InvalidCommand(msg) from error


def _with_secrets(name: str, options: dict[str, Any]) -> dict[str, Any]:
    # The core knows which options are credentials; this is its public door.
    config = RegistryConfig.from_dict({"backends": {name: {"type": name, "options": options}}})
    ready = dict(config.backends[name].options)
    _hide_all(ready)
    return ready


def _hide_all(options: Mapping[str, Any]) -> None:
    for value in options.values():
        if isinstance(value, Secret):
            hide(value)


def read_config(path: Path | None, names: Sequence[str]) -> RegistryConfig:
    """
    Read the file of ``--config``.

    Only what the stores that are wanted need is resolved: a variable of
    another backend need not be set.

    Args:
        path: The file.
        names: Names of the stores that are wanted from it.

    Returns:
        The stores that are wanted, and their backends.

    Raises:
        InvalidCommand: There is no file, it cannot be read or understood, or it
            lacks one of *names*.
    """
    if path is None:
        msg = f"@{names[0]} needs a file that describes it: --config FILE or REMOTE_STORE_CONFIG"
        raise InvalidCommand(msg)
    try:
        config = RegistryConfig.from_toml(path, resolve_env_vars=True, stores=names)
        config.validate()
    except OSError as error:
        msg = (
            f"configuration {str(path)!r} cannot be read ({error.strerror}); "
            "'remote-store config init FILE' makes one to begin with"
        )
        raise InvalidCommand(msg) from error
    except (ValueError, TypeError, KeyError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else reason_of(error)
        msg = f"configuration {str(path)!r}: {reason}"
        raise InvalidCommand(msg) from error
    for options in [
        *(backend.options for backend in config.backends.values()),
        *(store.options for store in config.stores.values()),
    ]:
        _hide_all(options)
    return config
