"""A remote_store backend over a tiny object server."""

from acme_objects._backend import AcmeObjects

__all__ = ["AcmeObjects"]
