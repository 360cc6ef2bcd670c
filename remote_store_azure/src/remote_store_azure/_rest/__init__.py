"""The service's protocol without any I/O: operations, URLs, bodies, responses and errors."""
