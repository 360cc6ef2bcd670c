"""
What is secret, by its name or by where it stands, and how it is kept from being shown.

Two kinds of text hold credentials: options of a backend, which are secret by
their names (`is_secret_name`) or because the backend's class says so in
``SECRET_OPTIONS``; and URLs, in their user part and in their query.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from remote_store._types.errors import PluginError

__all__ = [
    "Secret",
    "SecretRedactionFilter",
    "declared_options",
    "is_secret_name",
    "parts_to_hide",
    "redact_url",
    "secrets_in",
    "shown_options",
    "without_secrets",
]

#: Whole names and last parts of names, without case and separators: ``api-key`` is ``apiKey``.
_ENDINGS: Final = (
    "key",
    "secret",
    "token",
    "password",
    "passphrase",
    "credential",
    "credentials",
    "sas",
    "signature",
    "connectionstring",
)
_NAMES: Final = frozenset({"sig", "clientcertificate"})

# Patterns are compiled when they are used, and kept by `re`: not each program shows a URL.
_SCHEME: Final = r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://"
#: Up to a URL within it, as in a query or in a list without blanks.
_URL: Final = rf"({_SCHEME})(?!/)((?:(?!{_SCHEME})\S)*)"
#: A host and a port: what stands before a path where there is no user.
_HOST: Final = r"(?:\[[^\]]*\]|[^:@]*)(?::\d*)?"
#: What stands before a value in a query, a fragment or a connection string.
_NAME: Final = r"(?<![\w%.+-])([\w%.+-]+)="
_VALUE: Final = r"[^&;#\s]*"
#: How often a text is unescaped to look for credentials in it.
_LEVELS: Final = 4

#: Options that the classes loaded so far declare as secret.
_declared: set[str] = set()


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


def is_secret_name(name: str) -> bool:
    """
    Return True if an option or a parameter of a query is secret by its name.

    It is when the name is, or ends in, ``key``, ``secret``, ``token``,
    ``password``, ``passphrase``, ``credential``, ``credentials``, ``sas``,
    ``signature`` or ``connection_string``, in any case and with any separators;
    or when it is ``sig`` or ``client_certificate``.
    """
    plain = "".join(filter(str.isalnum, name.lower()))
    return plain.endswith(_ENDINGS) or plain in _NAMES


def declared_options(cls: type[Any], attribute: str) -> frozenset[str]:
    """
    Return the names of options that a backend class declares.

    Args:
        cls: The class. What it declares to be secret is heeded by
            `shown_options` from now on, whatever the options belong to.
        attribute: ``"SECRET_OPTIONS"`` or ``"public_options"``.

    Raises:
        PluginError: It is there, and no set of names.
    """
    names = getattr(cls, attribute, None) or frozenset()
    if not isinstance(names, (set, frozenset, tuple, list)) or not all(
        isinstance(name, str) for name in names
    ):
        msg = f"{attribute} of {cls.__name__} must be a frozenset of names of options"
        raise PluginError(msg)
    if attribute == "SECRET_OPTIONS":
        _declared.update(names)
    return frozenset(names)


def shown_options(options: Any) -> Any:
    """
    Return a copy of options as they may be shown, mappings and lists in them included.

    What is secret by its name, or declared by a class that was loaded, is
    ``'***'``; of a URL its secret parts are, and an object whose ``repr``
    holds such a URL is that text.
    """
    if isinstance(options, Mapping):
        return {
            shown_options(key): "***" if _is_hidden(key, value) else shown_options(value)
            for key, value in options.items()
        }
    if isinstance(options, (list, tuple)):
        return [shown_options(item) for item in options]
    if isinstance(options, str):
        return redact_url(options)
    text = repr(options)
    return options if (shown := redact_url(text)) == text else shown


def secrets_in(options: Any) -> set[Secret]:
    """Return what `shown_options` hides of options, mappings and lists in them included."""
    if isinstance(options, Secret):
        return {options, *parts_to_hide(options.reveal())}
    if isinstance(options, str):
        return parts_to_hide(options)
    if isinstance(options, Mapping):
        hidden = [_texts(v) if _is_hidden(k, v) else secrets_in(v) for k, v in options.items()]
        return set().union(*hidden)
    if isinstance(options, (list, tuple)):
        return set().union(*map(secrets_in, options))
    return set()


def _texts(options: Any) -> set[Secret]:
    """Return all texts in something that is secret as a whole."""
    if isinstance(options, str):
        return {Secret(options), *parts_to_hide(options)}
    if isinstance(options, Mapping):
        options = list(options.values())
    if isinstance(options, (list, tuple)):
        return set().union(*map(_texts, options))
    return secrets_in(options)


def _is_hidden(name: object, value: object) -> bool:
    # A switch or an absent value reveals nothing; a Secret hides itself.
    if value is None or isinstance(value, (bool, Secret)):
        return False
    return is_secret_name(str(name)) or name in _declared


def redact_url(text: str) -> str:
    """
    Return *text* without the credentials of the URLs in it.

    ``***`` takes the place of what stands before an ``@`` in front of the
    path, and of each value in a query, a fragment or a connection string
    whose name is secret (`is_secret_name`). A value that is escaped is looked
    into; where a credential is found there, the text is returned unescaped.
    A path that follows three slashes has no user.

    Args:
        text: A URL, or a text that may hold some.

    Example:
        ``redact_url("https://user:pw@host/x?sig=abc")`` is
        ``"https://***@host/x?sig=***"``.
    """
    shown = deep = _redacted(text)
    for _ in range(_LEVELS):
        if "%" not in deep:
            break
        from urllib.parse import unquote  # brings more along than the rest of this module

        plain = unquote(deep)
        if (deep := _redacted(plain)) != plain:
            shown = deep
    return shown


def _redacted(text: str) -> str:
    text = re.sub(_URL, _without_user, text)
    end = 0
    parts = []
    for start, stop in _secret_values(text):
        parts += [text[end:start], "***"]
        end = stop
    return "".join([*parts, text[end:]])


def _secret_values(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a value begins and ends whose name is secret."""
    names, values = re.compile(_NAME), re.compile(_VALUE)
    position = 0
    while match := names.search(text, position):
        position = match.end()
        name = match[1]
        if "%" in name:
            from urllib.parse import unquote

            name = unquote(name)
        if is_secret_name(name) and (value := values.match(text, position)) and value[0]:
            yield value.span()
            position = value.end()


def _without_user(match: re.Match[str]) -> str:
    start, rest = match.groups()
    before, at, host = _split_user(rest)
    return f"{start}***@{host}" if at else f"{start}{before}"


def _split_user(rest: str) -> tuple[str, str, str]:
    """Return the user part of what follows ``//``, the at sign, and what is behind it."""
    place = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "@" in place:
        end = place.rindex("@")
    elif not re.fullmatch(_HOST, place) and "@" in rest:
        # No host looks like this: it is a password with a "/", "?" or "#" that was not escaped.
        end = rest.rindex("@")
    else:
        return rest, "", ""
    return rest[:end], "@", rest[end + 1 :]


def parts_to_hide(text: str) -> set[Secret]:
    """Return the credentials in a URL, as they stand there and unescaped."""
    from urllib.parse import unquote

    found: set[str] = set()
    for _ in range(_LEVELS):
        for match in re.finditer(_URL, text):
            user, at, _host = _split_user(match[2])
            if at:
                found |= {user, *user.split(":", 1)}
        found |= {text[start:stop] for start, stop in _secret_values(text)}
        if "%" not in text:
            break
        text = unquote(text)
    return {Secret(part) for part in found | {unquote(part) for part in found}}


def without_secrets(error: Exception, secrets: Iterable[Secret]) -> Exception:
    """
    Take *secrets* out of an error, and out of all that it refers to.

    That is what it was raised from, the members of a group, notes, and the
    attributes of each of them. Shorter than four characters they are left:
    they would blot out ordinary words, and protect nothing.

    Returns:
        *error*; in place of one whose text cannot be changed, a `PluginError`
        with that text. In place of such a cause stands one, too.
    """
    words = {form for secret in secrets if len(secret.reveal()) >= 4 for form in _forms(secret)}
    if not words:
        return error
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))))
    found: dict[int, BaseException] = {}
    todo: list[BaseException] = [error]
    while todo:
        exc = todo.pop()
        if id(exc) in found:
            continue
        found[id(exc)] = exc
        todo += [e for e in (exc.__cause__, exc.__context__) if e is not None]
        todo += _clean_parts(exc, pattern)
    ready = {key: _stand_in(exc, pattern) for key, exc in found.items()}
    for exc in [*found.values(), *ready.values()]:
        # The one that was suppressed is not shown, but there to be found.
        suppressed = exc.__suppress_context__
        if (cause := exc.__cause__) is not None and id(cause) in ready:
            exc.__cause__ = ready[id(cause)]
        if (context := exc.__context__) is not None and id(context) in ready:
            exc.__context__ = ready[id(context)]
        exc.__suppress_context__ = suppressed
    return cast("Exception", ready[id(error)])


def _forms(secret: Secret) -> set[str]:
    """Return a secret as it stands in a text, in a ``repr``, in JSON and in a URL."""
    import json
    from urllib.parse import quote

    text = secret.reveal()
    shown = {text, repr(text)[1:-1], json.dumps(text)[1:-1], repr(text.encode())[2:-1]}
    return shown | {quote(text), quote(text, safe="")}


def _clean_parts(error: BaseException, pattern: re.Pattern[str]) -> list[BaseException]:
    """Replace what *pattern* finds in the parts of an error; return the errors among these."""
    errors: list[BaseException] = []

    def clean(value: Any) -> Any:
        if isinstance(value, BaseException):
            errors.append(value)
        elif isinstance(value, str):
            return pattern.sub("***", value) if pattern.search(value) else value
        elif type(value) in (tuple, list):
            return type(value)(map(clean, value))
        elif type(value) is dict:
            return {clean(key): clean(item) for key, item in value.items()}
        return value

    # Some built-in errors show attributes of their own, and not their arguments.
    own = (name for cls in type(error).__mro__ for name in vars(cls) if name[:2] != "__")
    for name in ["args", *getattr(error, "__dict__", ()), *own]:
        with contextlib.suppress(Exception):  # a property, or a constant
            value = getattr(error, name)
            if not callable(value) and (cleaned := clean(value)) != value:
                setattr(error, name, cleaned)
    return errors


def _stand_in(error: BaseException, pattern: re.Pattern[str]) -> BaseException:
    """Return an error itself, or what replaces it where it still shows a secret."""
    import traceback

    shown = traceback.format_exception(type(error), error, None, chain=False)
    if not any(map(pattern.search, [*shown, repr(error)])):
        return error
    place = PluginError(f"{type(error).__name__}: {pattern.sub('***', str(error))}")
    place.__cause__, place.__context__ = error.__cause__, error.__context__
    place.__suppress_context__ = error.__suppress_context__
    return place.with_traceback(error.__traceback__)
