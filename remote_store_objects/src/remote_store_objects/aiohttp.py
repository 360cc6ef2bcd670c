"""
For services that speak HTTP by aiohttp: requests that are sent once, and what no answer means.

Nothing here must be used. It needs the extra ``aiohttp``; the toolkit does without.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable

import aiohttp

from remote_store import BackendUnavailable
from remote_store_objects.http import no_answer

__all__ = ["sent_once", "unanswered"]

#: The connection was not made, so that nothing was sent; aiohttp does not repeat it either.
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


async def sent_once(
    request: aiohttp.ClientRequest,
    handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """
    Keep aiohttp from sending a request again when a kept connection is dropped, unseen.

    The backend repeats requests, and has to know of each attempt: an exclusive
    write that is repeated in secret takes its own success for somebody else's.
    Give it to the session: ``ClientSession(middlewares=(sent_once,))``.
    """
    try:
        return await handler(request)
    except _NEVER_SENT:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        msg = f"connection lost before an answer: {error or type(error).__name__}"
        raise aiohttp.ClientConnectionError(msg) from error


def unanswered(error: Exception, *, changes: bool) -> BackendUnavailable:
    """
    Return our error for one of aiohttp's, which loses what shows how a request was signed.

    Args:
        error: A ClientError or OSError; raise the result from it.
        changes: The request was to change something; then its outcome is
            unknown, unless the connection could not be made.
    """
    if isinstance(error, aiohttp.ClientResponseError):
        error.request_info = error.request_info._replace(headers={})  # type: ignore[arg-type]
        error.history = ()
    for one in filter(None, (error, error.__cause__)):
        traceback.clear_frames(one.__traceback__)  # they hold what was sent
    msg = f"No answer from the service: {error or type(error).__name__}"
    return no_answer(msg, changes=changes and not isinstance(error, _NEVER_SENT))
