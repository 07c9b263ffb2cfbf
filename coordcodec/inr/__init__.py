"""Networks: a function that maps coordinates to values, and how one is fitted to a signal."""

import os

# Equal seeds must give equal bytes, also on a busy machine: MKL, where PyTorch multiplies with it, otherwise sums in
# an order that depends on where its operands happen to lie in memory. Read at its first use; left to who has set it.
os.environ.setdefault("MKL_CBWR", "AUTO")
