"""
An external merge sort, so that no number of records fills the memory.

Records gather in memory as they are; when they are many, they are sorted and
written to one unnamed temporary file, as a run. What is read back is a merge
of the runs.
"""

from __future__ import annotations

import heapq
import weakref
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, Generic, TypeVar

__all__ = ["Sorter"]

R = TypeVar("R")

#: Bytes of records that are kept in memory.
_RUN: Final = 8 << 20
#: Records for which one is measured.
_SAMPLE: Final = 8
#: Records that a run is read back by at most, and about how many of the runs together.
_BLOCK: Final = 128
_READ: Final = 2048


class Sorter(Generic[R]):
    """
    Takes records in any order, and gives them in theirs, as often as asked.

    Those of one place in the order stay as they came. Records pickle.

    Args:
        order: Returns what a record is sorted by.
        size_of: Returns how many bytes of memory a record takes, about.
        run: Bytes of records to keep in memory.
        folder: Where the temporary file is made; None for the system's place.
    """

    def __init__(
        self,
        order: Callable[[R], Any],
        size_of: Callable[[R], int],
        run: int = _RUN,
        folder: str | None = None,
    ) -> None:
        self._order = order
        self._size_of = size_of
        self._limit = run
        self._folder = folder
        self._records: list[R] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        #: Where each run begins in the file, and where it ends.
        self._runs: list[tuple[int, int]] = []
        self._sorted = True
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def runs(self) -> int:
        """How many runs are on disk."""
        return len(self._runs)

    def add(self, record: R) -> bool:
        """Take a record; return True if `spill` should be called, which blocks."""
        if not self._count % _SAMPLE:
            self._size += self._size_of(record) * _SAMPLE
        self._records.append(record)
        self._count += 1
        self._sorted = False
        return self._size >= self._limit

    def spill(self) -> None:
        """
        Write what is in memory to the temporary file.

        Raises:
            OSError: The disk is full, or there is no place for temporary files.
        """
        import pickle  # few listings are that long

        if self._file is None:
            import tempfile

            # Unnamed: a process that is killed leaves nothing behind.
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        records = self._records
        records.sort(key=self._order)
        start = self._file.seek(0, 2)
        # One block of each run is in memory at a time: smaller ones, the more runs there are.
        length = min(_BLOCK, max(8, _READ // (len(self._runs) + 1)))
        for i in range(0, len(records), length):
            block = pickle.dumps(records[i : i + length], pickle.HIGHEST_PROTOCOL)
            self._file.write(len(block).to_bytes(4, "big"))
            self._file.write(block)
        self._runs.append((start, self._file.tell()))
        self._records = []
        self._size = 0
        self._sorted = True

    def __iter__(self) -> Iterator[R]:
        """Yield all records in their order; what is added meanwhile may be missed."""
        if not self._sorted:
            self._records.sort(key=self._order)
            self._sorted = True
        if not self._runs:
            return iter(self._records)
        runs = (self._read(*run) for run in self._runs)
        return heapq.merge(*runs, self._records, key=self._order)

    def _read(self, start: int, end: int) -> Iterator[R]:
        import pickle

        file = self._file
        assert file is not None
        while start < end:
            file.seek(start)
            size = int.from_bytes(file.read(4), "big")
            # Written by this process to a file that no other can open by name.
            yield from pickle.loads(file.read(size))  # noqa: S301
            start += 4 + size

    def close(self) -> None:
        """Forget all records, and give the temporary file back."""
        self._records = []
        self._runs = []
        self._size = self._count = 0
        if self._file is not None:
            self._file.close()
            self._file = None
