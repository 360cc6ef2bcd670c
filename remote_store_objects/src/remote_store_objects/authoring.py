"""
What `ObjectBackend` is made of, for storages that are an object store only in part.

A class derived from it can give a storage with real folders other operations,
see `Flat`, and a service that has to know what is under way, see `Calls`.
"""

from remote_store_objects._flat import Flat
from remote_store_objects._keys import prefix_of
from remote_store_objects._parts import Gatherer
from remote_store_objects._session.in_flight import Calls, Waiting
from remote_store_objects._session.outcome import in_doubt, like, untouched
from remote_store_objects._session.progress import Progress
from remote_store_objects._session.session import Session, Sizes
from remote_store_objects._session.tasks import Tasks, end_all

__all__ = [
    "Calls",
    "Flat",
    "Gatherer",
    "Progress",
    "Session",
    "Sizes",
    "Tasks",
    "Waiting",
    "end_all",
    "in_doubt",
    "like",
    "prefix_of",
    "untouched",
]
