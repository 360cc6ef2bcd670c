"""The command `config`: a file of stores to begin with."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Final

from remote_store_cli._commands import Group, command
from remote_store_cli._console import remark
from remote_store_cli._outcome import InvalidCommand, guarded
from remote_store_cli._parameters import FilePath, argument

__all__ = ["config"]

#: What a new file says. Values in `${}` come from the environment when a store is opened.
TEMPLATE: Final = """\
# Stores for remote-store: @NAME/path is a path in the store NAME.
# Credentials stay out of this file: ${VARIABLE} is taken from the environment
# when a store is opened, and only what that store needs has to be set.

[backends.disk]
type = "local"
options = { root = "${HOME}" }

[stores.home]
backend = "disk"

# A container of Azure; needs remote-store-core[azure].
# [backends.azure]
# type = "azure"
# options = { container = "reports", connection_string = "${AZURE_STORAGE_CONNECTION_STRING}" }
#
# [stores.reports]
# backend = "azure"
# root_path = "2026"

# A bucket of S3; needs remote-store-core[s3]. Without keys the usual places are looked at.
# [backends.bucket]
# type = "s3"
# options = { bucket = "my-bucket", region = "eu-west-1" }
#
# [stores.backup]
# backend = "bucket"
"""


@command
def init(
    file: Annotated[
        Path,
        argument("FILE", type=FilePath(), help="Where to; '-' is standard output."),
    ] = Path("stores.toml"),
) -> None:
    """Write a file of stores to begin with; one that exists is left alone."""
    with guarded():
        if str(file) == "-":
            sys.stdout.write(TEMPLATE)
            return
        try:
            # Nobody else needs to know what stores there are.
            fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            msg = f"{file} exists and is left alone; name another file"
            raise InvalidCommand(msg) from error
        except OSError as error:
            msg = f"{file} cannot be written ({error.strerror}); name another file"
            raise InvalidCommand(msg) from error
        with open(fd, "w", encoding="utf-8") as stream:
            stream.write(TEMPLATE)
        path = shlex.quote(str(file.absolute()))
        remark(f"wrote {file}; edit it, then: export REMOTE_STORE_CONFIG={path}")
        remark("and try: remote-store ls @home")


config = Group("config", help="Make a file of stores that @NAME refers to.", commands=[init])
