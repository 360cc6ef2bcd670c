"""The state of an account and what each operation does to it, without HTTP."""
