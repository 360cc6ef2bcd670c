"""A remote_store backend that keeps files in one SQLite database."""

from acme_backend._backend import AcmeBackend

__all__ = ["AcmeBackend"]
