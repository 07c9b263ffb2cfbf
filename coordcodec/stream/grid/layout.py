"""The numbers that the grid coder's parts agree on: sizes of tables, places in working arrays, limits.

All but the places are part of the format (docs/grid-coder.md).
"""

from __future__ import annotations

LARGEST = (1 << 31) - 1

# Probabilities: 22 bits, then 8 bits of age
LEAST = 16  # of 65536: no decision is surer than 1 - 2^-12
REACH = 2176  # stretch goes from -2176 to 2175, in units of 1/256
OLDEST = 90  # an age stops here, so that a probability goes on moving

# The decisions of a magnitude
NODES = 24
SINGLES = 14  # magnitudes that have a decision each; above are buckets of 4, 8, 16, ...
EXTRA = 2  # log2 of the first bucket
LAST_BUCKET = 28  # with it every magnitude up to LARGEST can be said
CALM = 128  # mean magnitude around, in 1/16, from which on low bits are split off

# Contexts of sizes and of signs, and plain adaptive probabilities behind them
MODELS = 8
SIZES = (384, 128, 384, 384, 528, 256, 256, 384)
SIGNS = 3
SIGN_SIZES = (27, 108, 27)
STARTS = tuple(NODES * sum(SIZES[:i]) for i in range(MODELS))
SIGN_STARTS = tuple(NODES * sum(SIZES) + sum(SIGN_SIZES[:i]) for i in range(SIGNS))
BUCKETS = NODES * sum(SIZES) + sum(SIGN_SIZES)
BUCKET_BITS = BUCKETS + 32
LOW_BITS = BUCKET_BITS + 4 * 32
PROBABILITIES = LOW_BITS + 4 * 16

# The mean of the neighbours and of the guides: how much each counts
MEAN_COUNTS, PARENT_COUNTS, SIBLING_COUNTS, CHANNEL_COUNTS = 10, 4, 3, 1

# Mixing
INPUTS = MODELS + 1  # and a constant
CONSTANT = 256
CHOICES = 4
SETS = NODES * CHOICES + 1  # the last one is for signs
SIGN_SET = SETS - 1
WEIGHTS = SETS * INPUTS + SETS  # an age each, behind the weights
UNIT = 65536  # a weight of 1
SLOW, FAST, WEIGHTS_OLDEST = 36, 8192, 4095

# Adaptive probability maps
STEPS = 33
MAP_A, MAP_B = 32, 64  # contexts, times NODES
MAP_B_START = NODES * MAP_A * STEPS
MAPS = NODES * (MAP_A + MAP_B) * STEPS
MAP_RATE = 6

# What is known of a plane beside its values
PARENT, SIBLING, CHANNEL, ENERGY, ZONES, DEEP, DEEPER, ENDS = (1 << i for i in range(8))

# The coder's registers, int64
LOW, RANGE, POSITION, CODE, END, MODE, BROKEN = range(7)
REGISTERS = 7
ENCODE, DECODE, COUNT = range(3)
TOP = 1 << 24
FULL = 1 << 32

# A plane's geometry, int64
PITCH, SLICE, VOLUME, ROWS, SLICES, WIDTH, ORIGIN, SCALE, DEEP_SCALE, FLAGS, LAMBDA = range(11)
JOINT = 11  # four weights
POINTS = 15  # three offsets
GEOMETRY = 18

# Working numbers, int64
BASE = 0  # places of the models' probabilities
STRETCHED = BASE + MODELS
SIGN_BASE = STRETCHED + MODELS
MIXED, SET, CHOICE, PLACE, PART, SLOT_A, SLOT_B, FINE, STEEP = range(SIGN_BASE + SIGNS, SIGN_BASE + SIGNS + 9)
SHIFT, NEAR, MEAN, BACK = range(STEEP + 1, STEEP + 5)
WORK = BACK + 1
