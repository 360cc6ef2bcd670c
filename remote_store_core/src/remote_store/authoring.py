r"""
What every backend needs: rules and words that are the same for all.

Nothing here must be used, and a backend that uses it keeps no more of the
contract than one that does the same by itself. It spares writing, and a
program reads the same words from every backend.

An error is made here and raised by the backend, which knows the cause:
``raise not_found(path, self.name) from error``. Its message does not repeat
the key, which ``str(error)`` shows behind it.
"""

from remote_store._contract.content import as_bytes
from remote_store._contract.keys import (
    RESERVED_PREFIX,
    file_key,
    folder_key,
    is_key,
    is_reserved,
    key_text,
    target_key,
)
from remote_store._contract.left_out import LeftOut
from remote_store._contract.ranges import part_of_stream
from remote_store._contract.standard_errors import (
    already_exists,
    ancestor_is_file,
    cannot_copy_from,
    cannot_copy_many_from,
    cannot_delete_many,
    cannot_delete_root,
    closed,
    error_about,
    first_with_others,
    folder_not_empty,
    is_a_file,
    is_a_folder,
    no_real_folders,
    not_found,
    other_version,
    source_is_folder,
)
from remote_store._types.models import known_file
from remote_store._types.path import known_path

__all__ = [
    "RESERVED_PREFIX",
    "LeftOut",
    "already_exists",
    "ancestor_is_file",
    "as_bytes",
    "cannot_copy_from",
    "cannot_copy_many_from",
    "cannot_delete_many",
    "cannot_delete_root",
    "closed",
    "error_about",
    "file_key",
    "first_with_others",
    "folder_key",
    "folder_not_empty",
    "is_a_file",
    "is_a_folder",
    "is_key",
    "is_reserved",
    "key_text",
    "known_file",
    "known_path",
    "no_real_folders",
    "not_found",
    "other_version",
    "part_of_stream",
    "source_is_folder",
    "target_key",
]
