"""The numbers that were chosen by measuring, in one place."""

from __future__ import annotations

from coordcodec.recipe import Recipe

DEFAULTS = Recipe(num_bytes=8192, siren={"num_frequencies": 6, "sigma": 1.4, "pace": 0.6, "coded_bits": 5.9})
"""The encoder's choices for shapes. With coded bits of 4.5, 5.5 and 6.5 Chamfer-L1 of the armadillo in 8 kB is 0.0382,
0.0357 and 0.0365 % of the diagonal, of lucy 0.0467, 0.0454 and 0.0437 % (effort 4, no initialisation)."""

EXTENT = 0.9
"""Half the longest side of a normalised mesh: what is left up to 1 lets marching cubes close the surface."""
TRUNCATION = 0.05
"""Distances are cut off here, in units of the coordinates: the network's accuracy is spent near the surface."""
LEAST_TRUNCATION, MOST_TRUNCATION = 0.01, 1.0

SAMPLES = 500_000
LEAST_SAMPLES, MOST_SAMPLES = 1_000, 5_000_000
WIDTHS = ((0.002, 0.4), (0.01, 0.4))
"""Samples near the surface: (standard deviation of the step away from it, share of all); the rest is uniform."""
SEED = 0

RESOLUTION: int | str = "auto"
SKETCH = 56
"""Grid points of the coarse surface by which the resolution "auto" is chosen."""
AUTO = (256, 448)
"""What "auto" chooses from. From 434 points on, the search for the surface starts on a coarser grid, so that 448 asks
for fewer values than 384. Lucy in 16 kB: 0.0303 % of the diagonal at 256 without steps onto the zero, 0.0293 with them,
0.0274 at 384, 0.0271 at 448, 0.0270 at 512, for 0.72, 0.79, 1.90, 1.62 and 2.16 million values."""
SAG = 3e-5
"""How far the middles of faces may be from the surface in the mean, as a share of the box' longest side. At 256 it is
8e-5 for lucy and 6e-5 for happy buddha in 16 kB, which gain 7 and 6 % from 448 beyond the steps onto the zero, and 2e-5
for a bunny in 4 kB of effort 1, which would gain 0.5 %."""
AUTO_FACES = 1_500_000
LEAST_RESOLUTION, MOST_RESOLUTION = 8, 1024

MAX_FACES = 2_000_000
"""Meshes with more faces are not read: the libraries need about 400 bytes for each."""
