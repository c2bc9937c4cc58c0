"""Order, randomness and batches of numbered rows; knows no file."""
