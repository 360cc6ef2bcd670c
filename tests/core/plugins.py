"""What the distributions consist of that the tests build."""

from __future__ import annotations

GOOD = '''
from remote_store import CapabilitySet, FileInfo, NotFound

print("acme imported")


class AcmeBackend:
    """Matches the protocol by its members alone."""

    CAPABILITIES = CapabilitySet()
    name = "acme"
    capabilities = CapabilitySet()

    def __init__(self, *, size=1):
        self.size = size

    async def exists(self, path):
        return path in ("", "here")

    is_file = is_folder = exists

    async def read(self, path):
        yield b""

    async def _no(self, *args, **kwargs):
        raise NotFound("nothing", path=args[0], backend=self.name)

    read_bytes = write = write_atomic = delete = delete_folder = _no
    get_file_info = get_folder_info = move = copy = _no
    list_files = list_folders = read
'''

BROKEN = "import a_module_that_nobody_has\n"

GROUP = "remote_store.backends"
