"""What the backend calls itself, and which keys a container holds."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["LONGEST", "NAME", "UNLISTABLE"]

#: What the backend calls itself, in errors too.
NAME: Final = "async-azure"
#: What XML has no form for. The service writes such names in a way of its own, where it takes
#: them, and its emulator cannot list the container any more.
UNLISTABLE: Final = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: Bytes of a key beyond which it surely has more than the 1,024 characters of the longest one.
LONGEST: Final = 4096
