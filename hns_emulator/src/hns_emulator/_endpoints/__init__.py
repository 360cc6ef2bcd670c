"""The two endpoints: which requests they take, and how they answer, byte for byte."""
