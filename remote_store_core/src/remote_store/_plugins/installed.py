"""
The installed distributions, and the files of their metadata.

`importlib.metadata` finds them wherever they are, but its import brings the
parser for e-mail, archives and more along, which takes longer than all of this
package and many times longer than what it is needed for. So distributions
in ordinary folders are read here, and it is asked only where there are others.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from typing import Protocol

__all__ = ["Distribution", "canonical", "first_named", "installed"]


class Distribution(Protocol):
    """What is used of a distribution; those of `importlib.metadata` have it, too."""

    def read_text(self, filename: str, /) -> str | None:
        """Return the text of a file of the metadata, None if there is none."""
        ...

    def locate_file(self, path: str, /) -> object:
        """Return the place of a file, of ``""`` that of the whole."""
        ...


class _InFolder:
    """
    A distribution in a folder of the path.

    Args:
        folder: The folder.
        name: Name of its metadata, ``"acme_store-1.0.dist-info"``.
    """

    def __init__(self, folder: str, name: str) -> None:
        self._folder = folder
        self._name = name

    @property
    def canonical(self) -> str:
        return canonical(self._name.rpartition(".")[0].partition("-")[0])

    def read_text(self, filename: str, /) -> str | None:
        # As `importlib.metadata` has it.
        with contextlib.suppress(
            FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError
        ):
            path = os.path.join(self._folder, self._name, filename)
            with open(path, encoding="utf-8") as file:
                return file.read()
        return None

    def locate_file(self, path: str, /) -> str:
        return os.path.join(self._folder, path) if path else self._folder


def canonical(name: str) -> str:
    """Return the name of a distribution in the form that all its spellings have."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(path: Iterable[str]) -> Iterable[Distribution]:
    """Return all distributions, in the order of *path*, which is ``sys.path``."""
    found = _in_folders(path)
    if found is not None:
        return found
    from importlib.metadata import distributions  # few have other ones

    return distributions()


def first_named(name: str, among: Iterable[Distribution]) -> Distribution | None:
    """Return the first distribution of a name, which is the one that is imported."""
    wanted = canonical(name)
    for distribution in among:
        if not isinstance(distribution, _InFolder):
            from importlib.metadata import distributions

            return next(iter(distributions(name=name)), None)
        if distribution.canonical == wanted:
            return distribution
    return None


def _in_folders(path: Iterable[str]) -> list[_InFolder] | None:
    """Return the distributions in the folders of the path; None if there may be other ones."""
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_distributions"))
    if any(finder is not PathFinder for finder in finders):
        return None
    found = []
    for folder in map(os.fsdecode, path):
        if folder.endswith(".egg"):
            return None
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:  # an archive
            return None
        except OSError:
            continue
        found += [
            _InFolder(folder, name)
            for name in names
            if name.lower().endswith((".dist-info", ".egg-info"))
        ]
    return found
