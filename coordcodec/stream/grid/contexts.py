"""What is known around a coefficient, as places in the tables of probabilities."""

from __future__ import annotations

from typing import Any

from coordcodec.stream.grid import layout as at
from coordcodec.stream.grid.jit import inner


@inner
def octave(size: int, most: int, logs: Any) -> int:
    """Class of a size, two to the octave, `most` at most."""
    return int(min(logs[min(size, 4095)], most))


@inner
def pair(first: int, second: int, most: int, logs: Any) -> int:
    """Classes of two sizes as one number; those of the first are 0..most, of the second 0..11."""
    return octave(first, most, logs) * 12 + octave(second, 11, logs)


@inner
def behind(i: int, pitch: int, mags: Any) -> int:
    """The magnitudes around a place in a slice that is known; weights 4, 2, 1."""
    cross = mags[i - 1] + mags[i + 1] + mags[i - pitch] + mags[i + pitch]
    corners = mags[i - pitch - 1] + mags[i - pitch + 1] + mags[i + pitch - 1] + mags[i + pitch + 1]
    return int(4 * mags[i] + 2 * cross + corners)


@inner
def measure(i: int, mags: Any, geometry: Any, work: Any) -> None:
    """Sums over neighbours, and how many low bits are split off where these are large."""
    up, up2 = i - geometry[at.PITCH], i - 2 * geometry[at.PITCH]
    near = 2 * (mags[i - 1] + mags[up]) + mags[up - 1] + mags[up + 1]
    far = mags[i - 3] + mags[up - 2] + mags[up + 2] + mags[up + 3] + mags[up2 - 1] + mags[up2 + 1]
    wide = 2 * (near + mags[i - 2] + mags[up2]) + far
    deep = 0
    if geometry[at.FLAGS] & at.DEEP:
        deep = behind(i - geometry[at.SLICE], geometry[at.PITCH], mags)
    if geometry[at.FLAGS] & at.DEEPER:
        deep = (deep + behind(i - geometry[at.VOLUME], geometry[at.PITCH], mags)) >> 1
    mean = (wide * geometry[at.SCALE] + deep * geometry[at.DEEP_SCALE]) >> 12
    k = 0
    while mean >> k >= at.CALM:
        k += 1
    work[at.SHIFT] = k
    work[at.MEAN], work[at.NEAR], work[at.BACK] = mean >> k, near >> k, deep >> k


@inner
def local(i: int, mags: Any, pitch: int, work: Any, logs: Any) -> None:
    """The contexts of single neighbours; where there are guides, `guided` replaces some."""
    k, up = work[at.SHIFT], i - pitch
    left1, left2, up1, up2 = mags[i - 1] >> k, mags[i - 2] >> k, mags[up] >> k, mags[up - pitch] >> k
    corner, other = mags[up - 1] >> k, mags[up + 1] >> k
    left_class, up_class = octave(left1, 7, logs), octave(up1, 7, logs)
    work[at.STEEP] = left_class * 8 + up_class
    work[0] = work[at.STEEP] * 6 + octave(corner + other, 5, logs)
    work[1] = min(left1, 1) + 2 * min(up1, 1)
    work[2] = left_class * 24 + octave(left2, 5, logs) * 4 + octave(mags[i - 3] >> k, 3, logs)
    work[3] = up_class * 24 + octave(up2, 5, logs) * 4 + octave(other, 3, logs)
    work[4] = pair(left1 + left2, up1 + up2, 11, logs)
    work[7] = pair(corner + (mags[up - 2] >> k), other + (mags[up + 2] >> k), 11, logs)


@inner
def guided(i: int, plane: Any, geometry: Any, work: Any, logs: Any) -> int:
    """The contexts of guides; returns the mean over neighbours and guides, in 1/16."""
    k, flags, near = work[at.SHIFT], geometry[at.FLAGS], work[at.NEAR]
    joint = work[at.MEAN] * geometry[at.JOINT]
    if flags & at.PARENT:
        size = plane[2][i] >> k
        joint += size * geometry[at.JOINT + 1]
        work[1] = octave(size, 10, logs) // 3
        work[2] = 192 + pair(size, near, 15, logs)
    if flags & at.SIBLING:
        size = plane[3][i] >> k
        joint += size * geometry[at.JOINT + 2]
        work[3] = 192 + pair(size, near, 15, logs)
    if flags & at.CHANNEL:
        size = plane[4][i] >> k
        joint += size * geometry[at.JOINT + 3]
        same = octave(abs(plane[6][i]) >> k, 5, logs)
        work[4] = 144 + (octave(size, 15, logs) * 6 + same) * 4 + octave(work[at.MEAN], 7, logs) // 2
    if flags & at.ENERGY:
        work[7] = 144 + pair(plane[5][i] >> k, near, 15, logs)
    elif flags & at.DEEP:
        work[7] = 144 + pair(work[at.BACK], near, 15, logs)
    return int(min(joint >> 12, 4095))


@inner
def size_contexts(i: int, place: Any, plane: Any, geometry: Any, work: Any, logs: Any) -> None:
    """Places of the models of size. `place`: row, column, slow mean in 1/16. `plane`: see coder.py."""
    row, column, slow = place
    flags = geometry[at.FLAGS]
    measure(i, plane[1], geometry, work)
    local(i, plane[1], geometry[at.PITCH], work, logs)
    fine = min(logs[4096 + guided(i, plane, geometry, work, logs)], 31)
    work[1] += fine * 4
    zone = plane[7][column] if flags & at.ZONES else min(row, 3) * 4 + min(column, 3)
    work[5] = zone * 16 + octave(work[at.MEAN], 15, logs)
    calm = min(logs[4096 + min(slow >> work[at.SHIFT], 4095)], 31)
    work[6] = calm * 8 + octave(work[at.NEAR], 7, logs)
    work[at.FINE] = fine
    work[at.CHOICE] = (flags & at.PARENT) + (flags & at.CHANNEL) // 2
    for n in range(at.MODELS):
        work[n] = at.STARTS[n] + at.NODES * work[n]


@inner
def way(value: int) -> int:
    """0, 1 or 2 for zero, positive or negative."""
    return int(value > 0) + 2 * int(value < 0)


@inner
def sign_contexts(i: int, plane: Any, geometry: Any, work: Any, logs: Any) -> None:
    """Places of the models of the sign."""
    values, up = plane[0], i - geometry[at.PITCH]
    left, above, back, other = way(values[i - 1]), way(values[up]), 0, 0
    strength = 0
    if geometry[at.FLAGS] & at.DEEP:
        back = way(values[i - geometry[at.SLICE]])
    if geometry[at.FLAGS] & at.CHANNEL:
        other = way(plane[6][i])
        strength = octave(abs(plane[6][i]) >> work[at.SHIFT], 7, logs) // 2
    work[at.SIGN_BASE] = at.SIGN_STARTS[0] + (left * 3 + above) * 3 + way(values[up + 1])
    work[at.SIGN_BASE + 1] = at.SIGN_STARTS[1] + ((strength * 3 + other) * 3 + left) * 3 + above
    work[at.SIGN_BASE + 2] = at.SIGN_STARTS[2] + (back * 3 + above) * 3 + way(values[i - 2])
