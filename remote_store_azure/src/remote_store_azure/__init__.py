"""Azure Blob Storage and Data Lake Storage Gen2 as a backend of `remote_store`."""

from remote_store_azure._backend import AsyncAzureBackend

__all__ = ["AsyncAzureBackend"]
