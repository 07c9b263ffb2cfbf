"""What `compress` is to reach, of which kinds of layers, and what it keeps."""

from __future__ import annotations

import argparse

from coordcodec.cli.options import default_rates, main_scores
from coordcodec.recipe import LAYERS


def add_targets(parser: argparse.ArgumentParser) -> None:
    """--rate, --bytes and the others, of which one is given; --layers and --strip."""
    _add_sizes(parser.add_mutually_exclusive_group())
    parser.add_argument(
        "--layers",
        choices=LAYERS,
        help="the kinds of layers to make the file of; auto chooses by the data and by what is asked; default: auto",
    )
    parser.add_argument(
        "--strip",
        action=argparse.BooleanOptionalAction,
        help="leave out what INPUT says besides its samples: colour profile, EXIF, text, tags; default: only lossless "
        "files keep them",
    )


def _add_sizes(target: argparse._MutuallyExclusiveGroup) -> None:
    target.add_argument(
        "--rate",
        type=float,
        help=f"at most this rate, above 0, in the modality's unit; defaults: {default_rates()}",
    )
    target.add_argument("--bytes", dest="num_bytes", type=int, metavar="N", help="at most this size, in bytes, from 1")
    target.add_argument(
        "--quality",
        type=int,
        metavar="1..100",
        help="plain knob: 50 is the default size, 12 more are twice the bytes, 12 less half of them",
    )
    target.add_argument(
        "--target-psnr", type=float, metavar="DB", help="the smallest file found with this PSNR, in dB; a few fits"
    )
    target.add_argument(
        "--target-score",
        type=float,
        metavar="S",
        help=f"the same for the score that other kinds of data go by: {main_scores()}",
    )
    target.add_argument(
        "--max-error",
        metavar="E",
        help="no sample is further than this from the original, above 0: in the samples' unit (2, or 0.5K where "
        "that is the unit), or in percent of their range (0.5%%); 1 or more for whole numbers",
    )
    target.add_argument(
        "--lossless",
        action="store_const",
        const=True,
        help="whole numbers come back exactly; profiles, EXIF, text and tags are kept unless --strip",
    )
    target.add_argument("--width", type=int, metavar="M", help="neurons per hidden layer, 1 to 1024, instead of a size")
