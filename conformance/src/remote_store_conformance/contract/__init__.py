"""What the contract is made of: clauses, what they ask for, and what a check gets."""
