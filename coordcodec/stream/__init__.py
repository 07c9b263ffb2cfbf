"""Integers to bytes and back: probability models, the range coder, the container."""
