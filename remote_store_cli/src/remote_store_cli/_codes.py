"""The exit codes; in a module of their own, since a broken core has one too."""

from typing import Final

__all__ = ["FAILED", "INTERRUPTED", "PLUGIN", "TERMINATED", "UNREAD", "USAGE"]

#: The operation failed, or a part of it.
FAILED: Final = 1
#: The command cannot be carried out as it was given; nothing was done.
USAGE: Final = 2
#: A plugin or the core is missing, broken, switched off or claimed twice.
PLUGIN: Final = 3
#: Ctrl-C.
INTERRUPTED: Final = 130
#: Nobody reads what is printed any more: as a program that SIGPIPE ends.
UNREAD: Final = 141
#: SIGTERM: a request to end.
TERMINATED: Final = 143
