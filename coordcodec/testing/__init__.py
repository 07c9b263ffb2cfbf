"""Contract tests for plugin authors: whatever passes them works with the codec.

    from coordcodec.testing import check_modality

    def test_heightmap(tmp_path):
        check_modality(Heightmap(), example_file)

The built-in plugins pass the same checks. All raise AssertionError with a message that says what to mend.
"""

from coordcodec.testing.fields import MOST_POINTS, nearest_field
from coordcodec.testing.modality import check_modality
from coordcodec.testing.quantizer import check_quantizer

__all__ = ["MOST_POINTS", "check_modality", "check_quantizer", "nearest_field"]
