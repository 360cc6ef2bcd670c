"""
A deliberate defect: a patch to one function of the emulator, in which a rule lives.

The patch replaces a part of the function's source, which must stand there
exactly once; so a rule that changes takes its defect along, or says that it is
lost. Only the code of the function object is exchanged: whatever has imported
the function has the defect, and does not have it afterwards.
"""

from __future__ import annotations

import contextlib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Defect"]


@dataclass(frozen=True, slots=True)
class Defect:
    """
    One broken rule.

    Attributes:
        name: What it is called.
        meaning: What the emulator does wrong.
        function: Where the rule lives.
        rule: A part of the function's source.
        broken: What stands there instead.
    """

    name: str
    meaning: str
    function: Any
    rule: str
    broken: str

    def code(self) -> CodeType:
        """
        Return the code of the function with the defect.

        Raises:
            ValueError: The rule does not stand in the function exactly once.
        """
        source = textwrap.dedent(inspect.getsource(self.function))
        if source.count(self.rule) != 1:
            msg = f"{self.name}: {self.rule!r} is not once in {self.function.__qualname__}"
            raise ValueError(msg)
        # Line numbers would be those of another file: tracebacks name the defect instead.
        made = dict(self.function.__globals__)
        patched = "from __future__ import annotations\n" + source.replace(self.rule, self.broken)
        exec(compile(patched, f"<defect {self.name}>", "exec"), made)
        function = made[self.function.__name__]
        assert isinstance(function, FunctionType)
        return function.__code__

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Break the rule in this process for as long as the block runs."""
        kept, self.function.__code__ = self.function.__code__, self.code()
        try:
            yield
        finally:
            self.function.__code__ = kept
