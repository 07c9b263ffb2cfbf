"""Measurements: each module is a command (`python -m coordcodec.bench.speed`) quoted in the documentation."""
