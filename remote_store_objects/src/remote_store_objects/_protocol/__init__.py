"""What a service implements, and the values that pass between it and the backend."""
