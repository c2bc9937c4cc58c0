"""Loops that write a sequence step by step: greedy, sampling, beam search."""
