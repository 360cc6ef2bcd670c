"""Where an account is and what opens it: constructor arguments, credentials and URLs."""
