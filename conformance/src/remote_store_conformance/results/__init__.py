"""What came out: of a clause and of a run, and which deviations are known."""
