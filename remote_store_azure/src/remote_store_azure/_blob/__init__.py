"""Blobs: what the Blob service does in one request, and reading, writing and copying by it."""
