"""One action carried out, any number at a time, and what is added up of them."""
