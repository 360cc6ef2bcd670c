"""The Data Lake service: what accounts with a hierarchical namespace need beside blobs."""
