"""Detail: integers on a signal's grid in a basis. Here are the bases; nothing in this folder imports torch.

`wavelet` (integer lifting), `lapped` (cosines of overlapping blocks, in floats), `predict` (the samples, predicted),
`rotation` (across channels) and `fill` (what stands at unknown samples while they are transformed). What a decoder must
compute is written down in `docs/bases.md`.
"""
