"""The S3 backend of remote_store, for AWS and everything that speaks its protocol."""

from remote_store_s3._backend import AsyncS3Backend

__all__ = ["AsyncS3Backend"]
