"""
A toolkit for backends over flat object stores.

An author writes the verbs of an `ObjectService` and a `Description` of what
the service can do; `ObjectBackend` is the complete backend over them.
"""

from remote_store_objects._backend import ObjectBackend
from remote_store_objects._protocol.body import Body
from remote_store_objects._protocol.description import (
    EVERY_CONDITION,
    Condition,
    Description,
    MetadataRules,
)
from remote_store_objects._protocol.service import ObjectService, ObjectStream
from remote_store_objects._protocol.values import (
    Attributes,
    ObjectInfo,
    Page,
    Part,
    StorageNotFound,
    TargetReplaced,
    Unfinished,
    Upload,
    UploadPage,
    Written,
)

__all__ = [
    "EVERY_CONDITION",
    "Attributes",
    "Body",
    "Condition",
    "Description",
    "MetadataRules",
    "ObjectBackend",
    "ObjectInfo",
    "ObjectService",
    "ObjectStream",
    "Page",
    "Part",
    "StorageNotFound",
    "TargetReplaced",
    "Unfinished",
    "Upload",
    "UploadPage",
    "Written",
]
