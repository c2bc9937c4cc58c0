"""What the bytes of a file are, and how to read them; knows no table."""
