"""The tree of errors: bases, text, fields, pickling."""

from __future__ import annotations

import copy
import errno
import pickle
from typing import Any

import pytest

import remote_store
from remote_store import (
    AlreadyExists,
    BackendUnavailable,
    CapabilityNotSupported,
    DirectoryNotEmpty,
    InvalidPath,
    NotFound,
    PermissionDenied,
    PluginError,
    PreconditionFailed,
    RemoteStoreError,
    ResourceLocked,
    StoreClosed,
)

BUILTIN: dict[type[RemoteStoreError], type[Exception]] = {
    RemoteStoreError: Exception,
    NotFound: FileNotFoundError,
    AlreadyExists: FileExistsError,
    PermissionDenied: PermissionError,
    DirectoryNotEmpty: OSError,
    InvalidPath: ValueError,
    CapabilityNotSupported: NotImplementedError,
    PreconditionFailed: Exception,
    ResourceLocked: Exception,
    BackendUnavailable: ConnectionError,
    StoreClosed: BackendUnavailable,
    PluginError: ValueError,
}
ERRNO = {
    NotFound: errno.ENOENT,
    AlreadyExists: errno.EEXIST,
    PermissionDenied: errno.EACCES,
    DirectoryNotEmpty: errno.ENOTEMPTY,
}
ALL = sorted(BUILTIN, key=lambda c: c.__name__)


def test_the_tree_is_complete() -> None:
    """Every public error is in the table, so that no class escapes these tests."""
    public = {
        value
        for value in vars(remote_store).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert public == set(BUILTIN)


@pytest.mark.parametrize("cls", ALL)
def test_bases(cls: type[RemoteStoreError]) -> None:
    """Each is a store error and the builtin error that it corresponds to, and no other OSError."""
    assert issubclass(cls, RemoteStoreError)
    assert issubclass(cls, BUILTIN[cls])
    assert issubclass(cls, OSError) == issubclass(BUILTIN[cls], OSError)


@pytest.mark.parametrize("cls", ALL)
def test_args_and_defaults(cls: type[RemoteStoreError]) -> None:
    """The message is the only argument; every field has a default."""
    error = cls("msg")
    assert error.args == ("msg",)
    assert (error.path, error.backend, error.status, error.code) == (None, None, None, None)
    assert (error.request_id, error.retry_after, error.outcome_unknown) == (None, None, False)
    assert str(error) == "msg"
    assert cls().args == ("",)
    assert str(cls()) == ""


@pytest.mark.parametrize("cls", ALL)
def test_text(cls: type[RemoteStoreError]) -> None:
    """Path and backend are appended in repr form, an empty path too."""
    assert str(cls("m", path="p'q")) == 'm | path="p\'q"'
    assert str(cls("m", backend="b")) == "m | backend='b'"
    assert str(cls("m", path="p", backend="b")) == "m | path='p' | backend='b'"
    assert str(cls("m", path="")) == "m | path=''"


@pytest.mark.parametrize("cls", ALL)
def test_text_without_message(cls: type[RemoteStoreError]) -> None:
    """With a path but no message the text starts with the separator."""
    assert str(cls("", path="p")) == " | path='p'"


@pytest.mark.parametrize("cls", ALL)
def test_repr(cls: type[RemoteStoreError]) -> None:
    """The repr names the class, the message and the parts that are set."""
    name = cls.__name__
    assert repr(cls("m")) == f"{name}('m')"
    assert repr(cls("m", path="p", backend="b")) == f"{name}('m', path='p', backend='b')"
    full = cls("m", status=503, code="Busy", request_id="r", retry_after=1.5, outcome_unknown=True)
    for part in ("status=503", "code='Busy'", "request_id='r'", "retry_after=1.5"):
        assert part in repr(full)
    assert "outcome_unknown=True" in repr(full)


def test_capability_text() -> None:
    """The capability comes last, and stands alone when nothing else is set."""
    error = CapabilityNotSupported("m", path="p", backend="b", capability="glob")
    assert str(error) == "m | path='p' | backend='b' | capability='glob'"
    assert repr(error).endswith("capability='glob')")
    assert str(CapabilityNotSupported(capability="x")) == "capability='x'"
    assert CapabilityNotSupported().capability == ""


@pytest.mark.parametrize("cls", ALL)
def test_os_fields(cls: type[RemoteStoreError]) -> None:
    """Those that are OSErrors have errno and the path as filename; the text stays ours."""
    error: Any = cls("m", path="p")
    if not issubclass(cls, OSError):
        assert not hasattr(error, "errno")
        return
    assert error.filename == "p"
    assert isinstance(error.errno, int)
    if cls in ERRNO:
        assert error.errno == ERRNO[cls]
    assert cls("m").filename is None


@pytest.mark.parametrize("cls", ALL)
def test_round_trips(cls: type[RemoteStoreError]) -> None:
    """Copies and pickles keep the class, the message and every field."""
    extra: dict[str, Any] = {"capability": "x"} if cls is CapabilityNotSupported else {}
    error = cls(
        "m",
        path="p",
        backend="b",
        status=409,
        code="c",
        request_id="r",
        retry_after=2.0,
        outcome_unknown=True,
        **extra,
    )
    error.add_note("note")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        other = pickle.loads(pickle.dumps(error, protocol))
        assert type(other) is cls
        assert (str(other), repr(other), other.args) == (str(error), repr(error), error.args)
        assert vars(other) == vars(error)
        assert getattr(other, "errno", None) == getattr(error, "errno", None)
        assert getattr(other, "filename", None) == getattr(error, "filename", None)
    assert repr(copy.copy(error)) == repr(copy.deepcopy(error)) == repr(error)


@pytest.mark.parametrize("cls", ALL)
def test_others(cls: type[RemoteStoreError]) -> None:
    """What else failed is counted in the text, and goes through pickles and copies."""
    assert cls("m").others == ()
    error = cls("m", path="a", others=(PermissionDenied("n", path="b"), OSError(5, "disk")))
    assert str(error) == "m | path='a' | others=2"
    assert repr(error) == f"{cls.__name__}('m', path='a', others=2)"
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert repr(copied) == repr(error)
        assert [repr(other) for other in copied.others] == [repr(o) for o in error.others]


def test_cause_is_kept() -> None:
    """The native exception is what ``raise from`` made it."""
    native = OSError(errno.EIO, "disk")
    with pytest.raises(RemoteStoreError) as caught:
        raise RemoteStoreError("m", path="p") from native
    assert caught.value.__cause__ is native


def test_builtin_handlers_work() -> None:
    """Code written for builtin errors catches ours."""
    with pytest.raises(FileNotFoundError) as caught:
        raise NotFound("m", path="p")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "p")
