"""Pyramid layers: integers at several scales, interpolated, and a small network that makes values of them."""
