"""Names of containers, and URLs of accounts that name one."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

__all__ = ["refuse_name", "without_container"]

#: The service's rule, with a length of 3 to 63; see "Naming and referencing containers, blobs,
#: and metadata" in its documentation.
_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
#: Containers that the service itself makes or gives a meaning.
_SYSTEM: Final = ("$root", "$web", "$logs", "$blobchangefeed")


def refuse_name(container: object) -> None:
    """
    Refuse what cannot be the name of a container.

    Raises:
        ValueError: It breaks the service's rule, which the message says.
    """
    if not isinstance(container, str) or not container.strip():
        msg = "container must be the name of a container, not empty"
        raise ValueError(msg)
    if container in _SYSTEM:
        return
    if "/" in container.strip("/"):
        msg = (
            f"container must be one name, got {container!r}: a folder in a container is the root "
            "of a store, as in azure://container/folder"
        )
        raise ValueError(msg)
    if not (3 <= len(container) <= 63 and _NAME.fullmatch(container)):
        msg = (
            f"container {container!r} cannot be the name of a container: 3 to 63 lower-case "
            "letters, digits and single hyphens, with a letter or digit at both ends; or one of "
            + ", ".join(_SYSTEM)
        )
        raise ValueError(msg)


def without_container(url: str, container: str, what: str, account: str | None) -> str:
    """
    Return the URL of an account, given it or the URL of one of its containers.

    The portal shows a container's URL together with its SAS token.

    Args:
        url: Without query and final slash.
        container: Name of the container that is meant.
        what: The option that *url* comes from, for messages.
        account: Name of the account, where the caller gave one.

    Raises:
        ValueError: *url* names another container, or something in one.
    """
    parts = urlsplit(url)
    names = [unquote(name) for name in parts.path.split("/")[1:]]
    host = parts.hostname or ""
    if ".blob." in host or ".dfs." in host:
        below = names
    elif _has_no_name(host):
        below = names[1:]  # the first one is the account, as emulators have it
    else:
        # A domain of one's own, whose path may be anything but what is known.
        is_container = names[-1:] == [container] and not (len(names) == 1 and account == container)
        below = names[-1:] if is_container else []
    if not below:
        return url
    if len(below) > 1:
        msg = (
            f"{what} is the URL of something in a container, {'/'.join(below)!r}; pass the URL of "
            "the account, and the folder as the root of a store"
        )
        raise ValueError(msg)
    if below != [container]:
        msg = (
            f"{what} names the container {below[0]!r}, but container is {container!r}; pass the "
            "same one, or the URL of the account"
        )
        raise ValueError(msg)
    return url.rpartition("/")[0]


def _has_no_name(host: str) -> bool:
    """Return True for an address, and for the name of a machine nearby."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host
    return True
