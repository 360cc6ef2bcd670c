"""Which file systems belong to this machine alone: locks on others may hold only here."""

from __future__ import annotations

import os
import re
from typing import Final

__all__ = ["is_of_this_machine"]

#: Those whose files no other machine changes, and whose times and attributes are kept.
_OF_THIS_MACHINE: Final = frozenset(
    {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
)
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")


def is_of_this_machine(path: str) -> bool:
    """
    Return True if no other machine can change what lies at *path*.

    False where the system does not tell: what is mounted where is known on Linux only.
    """
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().splitlines()
        place = os.path.join(os.fsencode(os.path.realpath(path)), b"")
    except OSError:
        return False
    found, kind = b"", b""
    for line in lines:
        fields, _, rest = line.partition(b" - ")
        point = _ESCAPED.sub(lambda m: bytes([int(m[1], 8)]), fields.split()[4])
        point = os.path.join(point, b"")
        # Of two at one place the later one hides the other.
        if place.startswith(point) and len(point) >= len(found):
            found, kind = point, rest.split()[0]
    return kind.decode("ascii", "replace") in _OF_THIS_MACHINE
