"""From two sorted sides to actions: joined, compared, kept in order."""
