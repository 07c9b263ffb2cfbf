"""A function that maps coordinates to values: networks, and how one is fitted to a signal."""
