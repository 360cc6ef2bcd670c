"""Making objects: in one request or in parts, and what becomes of parts without a commit."""
