"""The loops of a fit, with their gradients written out. Compiled by Numba when first called and cached on disk.

All take float32 and release Python's lock.
"""
