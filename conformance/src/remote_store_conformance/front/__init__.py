"""What the command line and pytest share: options, and the choice of clauses and targets."""
