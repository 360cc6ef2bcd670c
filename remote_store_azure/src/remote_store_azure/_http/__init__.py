"""Sending requests: sessions, the SDK's clients and pipeline, retries, and what is in flight."""
