"""What a backend is: its protocols, the content and the keys it gets, the errors it raises."""
