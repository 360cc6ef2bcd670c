"""
An external merge sort of byte strings, so that no number of them fills the memory.

Records gather in memory; when they are many, they are sorted and written to
one unnamed temporary file, as a run. What is read back is a merge of the runs.
"""

from __future__ import annotations

import heapq
import marshal
import weakref
from collections.abc import Iterator
from typing import IO, Final

__all__ = ["Sorter"]

#: Bytes of records that are kept in memory.
_RUN: Final = 6 << 20
#: What a bytes object costs beside its content, and its place in a list.
_OVERHEAD: Final = 41
#: Records that a run is read back by.
_BLOCK: Final = 128


class Sorter:
    """
    Takes records in any order, and gives them in theirs, as often as asked.

    Args:
        run: Bytes of records to keep in memory.
        folder: Where the temporary file is made; None for the system's place.
    """

    def __init__(self, run: int = _RUN, folder: str | None = None) -> None:
        self._limit = run
        self._folder = folder
        self._records: list[bytes] = []
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

    def add(self, record: bytes) -> bool:
        """Take a record; return True if `spill` should be called, which blocks."""
        self._records.append(record)
        self._size += len(record) + _OVERHEAD
        self._count += 1
        self._sorted = False
        return self._size >= self._limit

    def spill(self) -> None:
        """
        Write what is in memory to the temporary file.

        Raises:
            OSError: The disk is full, or there is no place for temporary files.
        """
        if self._file is None:
            import tempfile  # few listings are that long

            # Unnamed: a process that is killed leaves nothing behind.
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        records = self._records
        records.sort()
        start = self._file.seek(0, 2)
        for i in range(0, len(records), _BLOCK):
            block = marshal.dumps(records[i : i + _BLOCK])
            self._file.write(len(block).to_bytes(4, "big"))
            self._file.write(block)
        self._runs.append((start, self._file.tell()))
        self._records = []
        self._size = 0
        self._sorted = True

    def __iter__(self) -> Iterator[bytes]:
        """Yield all records in their order; what is added meanwhile may be missed."""
        if not self._sorted:
            self._records.sort()
            self._sorted = True
        if not self._runs:
            return iter(self._records)
        return heapq.merge(*(self._read(*run) for run in self._runs), self._records)

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        file = self._file
        assert file is not None
        while start < end:
            file.seek(start)
            size = int.from_bytes(file.read(4), "big")
            # Written by this process to a file that no other can open by name.
            yield from marshal.loads(file.read(size))  # noqa: S302
            start += 4 + size

    def close(self) -> None:
        """Forget all records, and give the temporary file back."""
        self._records = []
        self._runs = []
        self._size = self._count = 0
        if self._file is not None:
            self._file.close()
            self._file = None
