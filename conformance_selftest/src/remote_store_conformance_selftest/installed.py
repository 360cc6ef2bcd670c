"""A reference plugin that is really installed, in a folder of its own, for the time of a check."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Final

from attrs import define, evolve

from remote_store_conformance.targets.target import Target
from remote_store_conformance_selftest.stand_in import StandIn

__all__ = ["PackagedStandIn"]

_SOURCE: Final = """
from remote_store_conformance_selftest.reference import ReferenceBackend


class Backend(ReferenceBackend):
    pass
"""

#: Modules that such a plugin has a copy of: one that imported them from here would not keep
#: PKG-003, since it imports nothing but the core and what is its own.
_OWN: Final = re.compile(rf"\b{__package__}\.(reference|tree)\b")

_numbers = itertools.count(1)


@define(eq=False)
class PackagedStandIn(StandIn):
    """
    A stand-in whose plugin is installed: a module, metadata, an entry point.

    Args:
        source: Code of the module.
        entry_point: Value of the entry point; ``{module}`` is the module.
        scheme: Name of the entry point; ``{module}`` is the module.
        requires: Requirements of the distribution.
        distributions: How many distributions claim the name.
        group: Group of the entry point.
    """

    source: str = _SOURCE
    entry_point: str = "{module}:Backend"
    scheme: str = "{module}"
    requires: tuple[str, ...] = ("remote-store-core>=0.1,<0.2",)
    distributions: int = 1
    group: str = "remote_store.backends"

    @contextlib.contextmanager
    def offered(self) -> Iterator[Target]:
        """Install the plugin for the time of a block."""
        module = f"rsconformplugin{next(_numbers)}"
        scheme = self.scheme.format(module=module)
        with tempfile.TemporaryDirectory(prefix="remote-store-conform-") as name:
            folder = Path(name)
            modules = list(_written(folder, module, textwrap.dedent(self.source)))
            for number in range(self.distributions):
                self._describe(folder, module, scheme, number, modules)
            sys.path.insert(0, name)
            importlib.invalidate_caches()
            try:
                yield evolve(self.make(), plugin=scheme)
            finally:
                sys.path.remove(name)
                for made in modules:
                    sys.modules.pop(made, None)
                importlib.invalidate_caches()

    def _describe(
        self, folder: Path, module: str, scheme: str, number: int, modules: Iterable[str]
    ) -> None:
        name = f"{module}-{number}" if number else module
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
        lines += [f"Requires-Dist: {line}" for line in self.requires]
        value = self.entry_point.format(module=module)
        for file, text in {
            "METADATA": "\n".join(lines) + "\n",
            "entry_points.txt": f"[{self.group}]\n{scheme} = {value}\n",
            "RECORD": "".join(f"{made}.py,,\n" for made in modules),
        }.items():
            (info / file).write_text(text, encoding="utf-8")


def _written(folder: Path, module: str, source: str) -> Iterator[str]:
    """Write a module, and copies of those that it needs; yield their names."""
    text = _OWN.sub(rf"{module}_\1", source)
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    yield module
    for name in sorted({match[1] for match in _OWN.finditer(source)}):
        own = files(__package__).joinpath(f"{name}.py").read_text(encoding="utf-8")
        yield from _written(folder, f"{module}_{name}", own)
