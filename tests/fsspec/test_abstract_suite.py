"""fsspec's own suite of copying, getting and putting, over three kinds of stores."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

import pytest
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)

from remote_store_fsspec import RemoteStoreFileSystem

pytestmark = [
    # The suite makes fixtures for its classes out of class methods.
    pytest.mark.filterwarnings("ignore::pytest.PytestRemovedIn10Warning"),
]


#: What expects that nothing shows an empty folder. In memory and on a disk one
#: stays when its last file goes; only none can be made.
STAYING = {
    "test_copy_directory_to_new_directory",
    "test_copy_directory_without_files_with_same_name_prefix",
    "test_put_directory_to_new_directory",
    "test_put_directory_without_files_with_same_name_prefix",
}


class _Fixtures(AbstractFixtures):
    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def fs_path(self) -> str:
        return "/suite"

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        # A folder comes with the first file in it.
        return False


class _Memory(_Fixtures):
    @pytest.fixture(autouse=True)
    def _folders_stay(self, request: pytest.FixtureRequest) -> None:
        _expect_failure(request)

    @pytest.fixture
    def fs(self, memory: RemoteStoreFileSystem) -> RemoteStoreFileSystem:
        return memory


class _Local(_Fixtures):
    @pytest.fixture(autouse=True)
    def _folders_stay(self, request: pytest.FixtureRequest) -> None:
        _expect_failure(request)

    @pytest.fixture
    def fs(self, local: RemoteStoreFileSystem) -> RemoteStoreFileSystem:
        return local


class _Azurite(_Fixtures):
    @pytest.fixture
    def fs(self, flat: RemoteStoreFileSystem) -> RemoteStoreFileSystem:
        return flat


def _expect_failure(request: pytest.FixtureRequest) -> None:
    if request.node.name in STAYING:
        reason = "an empty folder stays where it had a file"
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


class _Suites(
    AbstractCopyTests, AbstractGetTests, AbstractPutTests, AbstractOpenTests, AbstractPipeTests
):
    """All of fsspec's suites."""


class TestMemory(_Memory, _Suites):
    """Memory."""


@pytest.mark.long
class TestLocal(_Local, _Suites):
    """Local files."""


@pytest.mark.long
class TestAzurite(_Azurite, _Suites):
    """A flat container."""
