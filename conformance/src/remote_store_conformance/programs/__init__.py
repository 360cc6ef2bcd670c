"""Programs of random calls, and the model that says how they must come out."""
