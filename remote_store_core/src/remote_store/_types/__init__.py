"""The vocabulary: paths, models, capabilities, patterns, secrets and errors; pure, without I/O."""
