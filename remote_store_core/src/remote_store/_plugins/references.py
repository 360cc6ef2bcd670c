"""What ``${...}`` in the values of a configuration stands for: variables and secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from remote_store._plugins.hub import hub
from remote_store._types.secrets import Secret

__all__ = ["resolve_env", "resolve_secrets"]

# Patterns are compiled when they are used: few programs have a configuration.
#: An escape, a secret's reference, or a variable; of a malformed one only its ``${``.
_VARIABLE: Final = r"\$\$\{|\$\{secret:[^}]*|\$\{(?:([^{}:$]+)(?::-((?:(?!\$\{)[^}])*))?\})?"
_REFERENCE: Final = r"(\$?)\$\{secret:([^}]+)\}"


class _Verbatim(str):
    """Text that came from a variable: whatever it reads like, it stands for itself."""

    __slots__ = ()


def resolve_env(data: Any, *, environ: Mapping[str, str] | None = None) -> Any:
    """
    Return a copy of *data* with the variables in its strings replaced.

    ``${VAR}`` is the variable, ``${VAR:-default}`` its value or the default
    when it is not set, ``$${`` a literal ``${``. A default holds no variable.
    Values of mappings and items of lists are visited, keys are not.
    ``${secret:...}`` is left alone: it is resolved when the backend is built.
    So is ``$${secret:...}`` as a whole value, which becomes text then. What
    comes from a variable is text: neither this function nor the building of
    a backend looks into it again, whatever it reads like.

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
    if not isinstance(data, str) or isinstance(data, _Verbatim):
        return data
    if (match := re.fullmatch(_REFERENCE, data)) and match[1]:
        return data
    foreign = False

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[0].startswith("${secret:"):
            return match[0]
        nonlocal foreign
        foreign = True
        name, default = match.groups()
        if name is None:
            msg = (
                f"malformed variable at {where}: write ${{NAME}}, ${{NAME:-default}} "
                "without a variable in the default, or $${ for a literal ${"
            )
            raise ValueError(msg)
        value = environ.get(name, default)
        if value is None:
            msg = (
                f"environment variable {name!r} is not set (needed at {where}); "
                f"set it, or write ${{{name}:-default}}"
            )
            raise KeyError(msg)
        return value

    text = re.sub(_VARIABLE, replaced, data)
    return _Verbatim(text) if foreign and "${" in text else text


def resolve_secrets(options: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *options* with each value ``${secret:REFERENCE}`` answered by a plugin.

    The value ``$${secret:REFERENCE}`` becomes the text ``${secret:REFERENCE}``.

    Raises:
        ValueError: No plugin knows the reference, or the answer is not text or
            a blank one; the message names the option and the reference, never
            a value.
    """
    resolved = dict(options)
    for key, value in options.items():
        text = value.reveal() if isinstance(value, Secret) else value
        if not isinstance(text, str) or isinstance(text, _Verbatim):
            continue
        match = re.fullmatch(_REFERENCE, text)
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
        if not isinstance(answer, str) or not answer.strip():
            what = "an empty one" if isinstance(answer, str) else type(answer).__name__
            msg = (
                f"the secret {reference!r} of option {key!r} must be a text, "
                f"a plugin answered with {what}"
            )
            raise ValueError(msg)
        resolved[key] = Secret(answer)
    return resolved
