"""The backend classes of all installed plugins, sync and async, by class name."""

from typing import TYPE_CHECKING

from remote_store._plugins.loading import lazy_classes

__all__: list[str] = []

if not TYPE_CHECKING:
    __getattr__ = lazy_classes(__name__)
