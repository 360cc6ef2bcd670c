"""Backends whose signed URLs open too much, or too little."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from remote_store_conformance_selftest.mutants import mutant
from remote_store_conformance_selftest.reference_signed import NO_URLS, SigningBackend

_log: Final = logging.getLogger(__name__)


@mutant("URL-001", "does not give its content", without=NO_URLS)
class LeavesTheNameAsItIs(SigningBackend):
    """What has a meaning in a URL stands in it unquoted."""

    def quoted(self, key: str) -> str:
        return key.replace(" ", "%20").replace("ä", "%C3%A4")


@mutant("URL-001", "of a missing file", without=NO_URLS)
class GivesNothingForWhatIsMissing(SigningBackend):
    """A missing file is an empty one."""

    def answer(self, method: str, target: str, content: bytes) -> tuple[int, bytes]:
        status, body = super().answer(method, target, content)
        return (200, b"") if status == 404 else (status, body)


@mutant("URL-002", "is not the content", without=NO_URLS)
class KeepsTheFirstUpload(SigningBackend):
    """An upload to a file that is there changes nothing."""

    def upload(self, key: str, content: bytes) -> None:
        if key not in self.tree.files:
            super().upload(key, content)


@mutant("URL-002", "upload to a signed URL is refused", without=NO_URLS)
class RefusesAnEmptyUpload(SigningBackend):
    """No content is taken for no upload."""

    def answer(self, method: str, target: str, content: bytes) -> tuple[int, bytes]:
        if method == "PUT" and not content:
            return 411, b""
        return super().answer(method, target, content)


@mutant("URL-003", "PUT by a signed URL for GET", without=NO_URLS)
class SignsTheNameAlone(SigningBackend):
    """The method is no part of what is signed."""

    def sign(self, method: str, key: str, end: int) -> str:
        return super().sign("", key, end)


@mutant("URL-003", "GET by a signed URL for PUT", without=NO_URLS)
class LetsWritersRead(SigningBackend):
    """Who may write may read as well."""

    def answer(self, method: str, target: str, content: bytes) -> tuple[int, bytes]:
        answer = super().answer(method, target, content)
        if answer[0] != 403 or method != "GET":
            return answer
        key = target.partition("?")[0].removeprefix("/")
        end, signature = (part.partition("=")[2] for part in target.partition("?")[2].split("&"))
        if signature != self.sign("PUT", key, int(end)):
            return answer
        return 200, self.tree.files[key].content


@mutant("URL-004", "seconds after it was made", without=NO_URLS)
class CountsInMinutes(SigningBackend):
    """The time is handed on in another unit."""

    def seconds(self, expires: timedelta) -> float:
        return 60 * expires.total_seconds()


@mutant("URL-004", "as long as was asked for", without=NO_URLS)
class EndsTooSoon(SigningBackend):
    """No URL works longer than a second."""

    def seconds(self, expires: timedelta) -> float:
        return min(expires.total_seconds(), 2)


@mutant("URL-005", "a log record has a signed URL", without=NO_URLS)
class LogsWhatItSigns(SigningBackend):
    """A debug record tells the URL."""

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        url = await super().signed_url(path, expires=expires, method=method)
        _log.debug("signed %s", url)
        return url


@mutant("URL-005", "a log record has a signed URL", without=NO_URLS)
class LogsTheSignatureBesideTheMessage(SigningBackend):
    """The record of a request has the query in a field of its own."""

    async def signed_url(self, path: str, *, expires: timedelta, method: str = "GET") -> str:
        url = await super().signed_url(path, expires=expires, method=method)
        _log.info("signed", extra={"query": url.partition("?")[2]})
        return url
