"""What one event loop has of a service: its client, its calls, its patience."""
