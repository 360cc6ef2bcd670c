"""The file system: what is done to open folders and the names in them, below one root."""
