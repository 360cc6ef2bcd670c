"""Uploads in parts that nobody will commit: what a killed process leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta

from remote_store import CapabilityNotSupported, NotFound
from remote_store_objects._keys import prefix_of
from remote_store_objects._protocol.values import StorageNotFound, Upload
from remote_store_objects._reading.pages import foreign_page
from remote_store_objects._session.progress import Progress
from remote_store_objects._session.session import Session

__all__ = ["sweep", "uploads"]


async def uploads(session: Session, key: str) -> AsyncGenerator[Upload, None]:
    """
    Yield the unfinished uploads below a folder, ``""`` for all.

    Raises:
        CapabilityNotSupported: The service cannot list them.
    """
    if not session.description.lists_uploads:
        msg = "the service does not list unfinished uploads"
        raise CapabilityNotSupported(msg, path=key, backend=session.name, capability="list_uploads")
    token, prefix = "", prefix_of(key)
    progress = Progress(session, key, f"The service's listing of uploads below {key!r}")
    while True:
        page = await session.ask(key, session.service.list_uploads, prefix, token=token)
        for upload in page.uploads:
            if not upload.key.startswith(prefix):
                raise foreign_page(session, key, prefix, upload.key)
            yield upload
        token = page.token
        if not token:
            return
        progress.step(token, moved=bool(page.uploads))


async def sweep(
    session: Session,
    key: str,
    older_than: timedelta,
    *,
    dry_run: bool,
    found: Callable[[str], object] | None,
) -> int:
    """
    Abort the uploads below a folder that were begun long ago, or only look; return how many.

    One whose beginning the service does not tell stays.

    Raises:
        CapabilityNotSupported: The service cannot list them.
        RemoteStoreError: One could not be aborted.
    """
    limit = datetime.now(UTC) - older_than
    count = 0
    async for upload in uploads(session, key):
        if upload.started is None or upload.started > limit:
            continue
        try:
            if not dry_run:
                await session.change(upload.key, session.service.abort, upload)
        except StorageNotFound:
            raise
        except NotFound:
            continue
        count += 1
        if found is not None:
            found(upload.key)
    return count
