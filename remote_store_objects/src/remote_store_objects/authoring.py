"""
What `ObjectBackend` is made of, for storages that are an object store only in part.

A class derived from it can give a storage with real folders other operations,
see `Flat`, and a service that has to know what is under way, see `Calls`.
"""

from remote_store_objects._flat import Flat, written_result
from remote_store_objects._keys import prefix_of
from remote_store_objects._reading.listing import Entries, folder_sum, is_literal
from remote_store_objects._reading.probe import find, look_at_storage
from remote_store_objects._reading.read import Reading
from remote_store_objects._session.in_flight import Calls, Waiting
from remote_store_objects._session.loops import Loops
from remote_store_objects._session.outcome import in_doubt, like, untouched
from remote_store_objects._session.progress import Progress
from remote_store_objects._session.session import Session, Sizes
from remote_store_objects._session.tasks import Tasks, end_all
from remote_store_objects._transfer import likeness
from remote_store_objects._writing.left_parts import digest_of
from remote_store_objects._writing.parts import Gatherer, part_size
from remote_store_objects._writing.upload import Uploading
from remote_store_objects._writing.write import may_be

__all__ = [
    "Calls",
    "Entries",
    "Flat",
    "Gatherer",
    "Loops",
    "Progress",
    "Reading",
    "Session",
    "Sizes",
    "Tasks",
    "Uploading",
    "Waiting",
    "digest_of",
    "end_all",
    "find",
    "folder_sum",
    "in_doubt",
    "is_literal",
    "like",
    "likeness",
    "look_at_storage",
    "may_be",
    "part_size",
    "prefix_of",
    "untouched",
    "written_result",
]
