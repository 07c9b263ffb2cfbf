"""Measurements: each module is a command (`python -m coordcodec_bench.speed`) quoted in the documentation."""
