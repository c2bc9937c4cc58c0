"""What the commands do, callable from Python: train, evaluate, predict, export."""
