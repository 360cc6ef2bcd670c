"""
What a check says when the contract is broken, or when it cannot find out.

Checks never use a bare ``assert``: its message needs pytest, and ``python -O``
removes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from attrs import define, field

__all__ = [
    "Caught",
    "Hang",
    "Inapplicable",
    "Unverified",
    "Violation",
    "expect",
    "fail",
    "raises",
    "shown",
]

E = TypeVar("E", bound=BaseException)

#: Characters of a value in a message.
_SHOWN = 200


class Violation(Exception):
    """
    Raised when a backend breaks a clause.

    Args:
        message: What is wrong, as a sentence that helps the backend's author.
        observed: What happened.
        expected: What the contract asks for.
        evidence: More facts, JSON-friendly, for the report.
    """

    def __init__(
        self,
        message: str,
        *,
        observed: object = None,
        expected: object = None,
        evidence: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.observed = None if observed is None else shown(observed)
        self.expected = None if expected is None else shown(expected)
        self.evidence = dict(evidence or {})

    def __str__(self) -> str:
        text = self.message
        if self.observed is not None:
            text += f"; observed: {self.observed}"
        if self.expected is not None:
            text += f"; expected: {self.expected}"
        return text


class Unverified(Exception):
    """Raised when the target lacks what a measurement needs: neither kept nor broken."""


class Inapplicable(Exception):
    """Raised when it turns out that a rule does not speak about this target."""


class Hang(BaseException):
    """
    Raised when an operation does not end in time.

    A BaseException, so that no backend swallows it and Hypothesis does not
    shrink a deadlock, example by example, each one hanging again.
    """


def shown(value: object) -> str:
    """Return *value* as text for a report; long ones are cut, with their length."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, (bytes, bytearray)) and len(value) > _SHOWN // 4:
        return f"{bytes(value[:24])!r}... ({len(value)} bytes)"
    else:
        text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def expect(
    condition: object,
    message: str,
    *,
    observed: object = None,
    expected: object = None,
    **evidence: object,
) -> None:
    """
    State what must hold.

    Args:
        condition: True when it does.
        message: What is wrong when it does not.
        observed: What happened.
        expected: What the contract asks for.
        evidence: More facts for the report.

    Raises:
        Violation: *condition* is false.
    """
    if not condition:
        raise Violation(message, observed=observed, expected=expected, evidence=evidence)


def fail(message: str, **details: Any) -> None:
    """
    Say that the clause is broken.

    Raises:
        Violation: Always; see `expect`.
    """
    expect(False, message, **details)


@define
class Caught(Generic[E]):
    """What `raises` caught."""

    #: The exception, once the block is left.
    error: E = field(init=False)


@contextmanager
def raises(cls: type[E], when: str, *, contains: str | None = None) -> Iterator[Caught[E]]:
    """
    State that a block must raise.

    Args:
        cls: The exception class; subclasses count.
        when: What the block does, continuing "must raise X ...", for example
            ``"when the file is missing"``.
        contains: Text that ``str(error)`` must hold.

    Returns:
        An object whose ``error`` is the exception.

    Raises:
        Violation: Nothing, or something else, is raised; what is raised is
            its cause.
    """
    caught: Caught[E] = Caught()
    try:
        yield caught
    except Violation:
        raise
    except cls as error:
        if contains is not None and contains not in str(error):
            msg = f"the {cls.__name__} raised {when} does not name {contains!r}"
            raise Violation(msg, observed=str(error)) from error
        caught.error = error
        return
    except Exception as error:
        msg = f"the wrong exception was raised {when}"
        observed = f"{type(error).__name__}: {error}"
        raise Violation(msg, observed=observed, expected=cls.__name__) from error
    msg = f"nothing was raised {when}"
    raise Violation(msg, observed="no exception", expected=cls.__name__)
