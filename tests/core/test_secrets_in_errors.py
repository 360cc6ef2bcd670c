"""Errors of plugins are shown without the secrets that they got."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import remote_store
from remote_store import (
    BackendConfig,
    NotFound,
    PluginError,
    RemoteStoreError,
    Secret,
    StoreProfile,
    open_store,
    register_backend,
    unregister_backend,
)
from remote_store._types.secrets import without_secrets
from remote_store.aio import open_store as open_async
from remote_store_memory import MemoryBackend

SECRET = 'TOP"hush\\/'


class Vendor(MemoryBackend):
    """Fails with whatever the test makes of its secret."""

    fail: ClassVar[Callable[[str], Exception]]

    def __init__(self, account_key: Any = None, **options: Any) -> None:
        plain = account_key.reveal() if isinstance(account_key, Secret) else options["deep"]["key"]
        raise type(self).fail(plain)


class Later(Vendor):
    """The same in a coroutine."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Any:
        async def opened() -> Any:
            return cls(**options), ""

        return opened()


@pytest.fixture(autouse=True)
def _vendor() -> Iterator[None]:
    register_backend("vendor", Vendor)
    register_backend("later", Later)
    yield
    unregister_backend("vendor")
    unregister_backend("later")


class Silent(Exception):
    """Keeps what it shows where nobody can change it."""

    def __init__(self, text: str) -> None:
        def show() -> str:
            return text

        self._show = show

    def __str__(self) -> str:
        return self._show()


class Slotted(Exception):
    """Keeps it in a slot."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


def noted(text: str) -> Exception:
    error = ValueError("no")
    error.add_note(text)
    return error


def caused(error: Exception) -> Exception:
    outer = ValueError("no")
    outer.__cause__ = error
    return outer


def during(error: Exception) -> Exception:
    outer = ValueError("no")
    outer.__context__ = error
    return outer


ERRORS: dict[str, Callable[[str], Exception]] = {
    "errno": lambda s: OSError(5, f"cannot use {s}"),
    "filename": lambda s: FileNotFoundError(2, "no", s),
    "import": ImportError,
    "syntax": SyntaxError,
    "unicode": lambda s: UnicodeEncodeError("ascii", s, 0, 1, s),
    "group": lambda s: ExceptionGroup("no", [ValueError(s)]),
    "group-message": lambda s: ExceptionGroup(s, [ValueError("no")]),
    "group-silent": lambda s: ExceptionGroup("no", [ExceptionGroup("no", [Silent(s)])]),
    "note": noted,
    "path": lambda s: NotFound("no", path=s),
    "others": lambda s: RemoteStoreError("no", others=(ValueError(s),)),
    "argument": lambda s: ValueError({"k": [s]}),
    "bytes": lambda s: ValueError(s.encode()),
    "error": lambda s: ValueError(ValueError(s)),
    "repr": lambda s: ValueError(repr(s)),
    "json": lambda s: ValueError(json.dumps(s)),
    "url": lambda s: ValueError("TOP%22hush%5C%2F"),
    "silent": Silent,
    "slot": Slotted,
    "type": TypeError,
    "cause": lambda s: caused(Silent(s)),
    "context": lambda s: during(Silent(s)),
    "deep": lambda s: caused(during(caused(OSError(5, s)))),
}


def everything(error: BaseException) -> str:
    """Return all that anybody could print of an error, suppressed contexts included."""
    texts = []
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        exc = todo.pop()
        if exc is None or id(exc) in seen:
            continue
        seen.add(id(exc))
        todo += [exc.__cause__, exc.__context__, *getattr(exc, "others", ())]
        texts += [*traceback.format_exception(exc, chain=False), repr(exc), repr(vars(exc))]
    return "".join(texts)


@pytest.mark.parametrize("key", ["account_key", "deep"])
@pytest.mark.parametrize("kind", ERRORS)
def test_no_error_of_a_plugin_shows_a_secret(kind: str, key: str) -> None:
    """Wherever it keeps it, and however deep in the options it was."""
    Vendor.fail = ERRORS[kind]
    options = {"account_key": Secret(SECRET)} if key == "account_key" else {"deep": {"key": SECRET}}

    with pytest.raises((Exception, ExceptionGroup)) as caught:
        open_store(StoreProfile("vendor", options=options))

    assert "hush" not in everything(caught.value)


@pytest.mark.parametrize("kind", ["silent", "type", "cause"])
@pytest.mark.asyncio
async def test_no_error_of_a_url_that_is_looked_at_later_shows_a_secret(kind: str) -> None:
    """What stands in for an error has no link to it."""
    Vendor.fail = ERRORS[kind]

    with pytest.raises(ValueError) as caught:
        await open_async("later:///", account_key=Secret(SECRET))

    assert "hush" not in everything(caught.value)


def test_an_error_that_can_be_cleaned_stays_itself() -> None:
    """With its traceback, and whatever else it holds."""
    error = OSError(5, f"no {SECRET}")

    assert without_secrets(error, [Secret(SECRET)]) is error
    assert "[Errno 5] no ***" == str(error)


def test_an_error_that_cannot_be_cleaned_is_told_by_a_plugin_error() -> None:
    """It names the type, and shows the rest of the text."""
    shown = without_secrets(Silent(f"no {SECRET} here"), [Secret(SECRET)])

    assert isinstance(shown, PluginError)
    assert "Silent: no *** here" == str(shown)


def test_short_words_are_left_in_errors() -> None:
    """A secret of three letters would blot out ordinary words; longer ones go before shorter."""
    error = ValueError("the abcd of abcdef", 3)
    without_secrets(error, map(Secret, ["the", "abcd", "abcdef"]))

    assert ("the *** of ***", 3) == error.args


def test_no_frame_of_ours_holds_a_secret_in_plain_text() -> None:
    """A traceback that shows local variables shows none that the caller had wrapped."""
    Vendor.fail = ERRORS["errno"]
    with pytest.raises(OSError, match="cannot use") as caught:
        open_store(StoreProfile("vendor", options={"account_key": Secret(SECRET)}))

    # By its place, and not by its name: the folder of the whole project may be called so, too.
    core = Path(remote_store.__file__).parent
    frames = [entry.frame for entry in caught.traceback if core in Path(entry.path).parents]
    assert frames
    assert "hush" not in "".join(repr(dict(frame.f_locals)) for frame in frames)


def test_a_connection_string_in_place_of_a_url_is_not_repeated() -> None:
    """What stands before its first colon is taken for the name of a backend."""
    text = "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=hush;BlobEndpoint=https://x/"
    with pytest.raises(PluginError, match="no plugin serves") as caught:
        open_store(text)

    assert "hush" not in everything(caught.value).lower()


@pytest.mark.parametrize("value", [b"https://u:hush@h/", {"https://u:hush@h/"}])
def test_a_configuration_shows_no_credential_in_whatever_it_holds(value: object) -> None:
    """Nor in the names of options."""
    assert "hush" not in repr(BackendConfig("vendor", {"where": value}))
    assert "hush" not in repr(BackendConfig("vendor", {"https://u:hush@h/": 1}))
