"""What Python callers give and do: tensors, lists, bytes and images as sources, NumPy's numbers, copies."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import coordcodec
from coordcodec.errors import CoordCodecError, RecipeError, SignalError, UnknownChoice
from coordcodec.given import plain, shown, source_of
from coordcodec.plugins import installed
from coordcodec.torch_state import usual_torch

PIXELS = (np.mgrid[:20, :28][1] * 9).astype(np.uint8)
QUICK = {"modality": "image", "num_bytes": 300, "effort": 1, "layers": "siren", "siren": {"steps": 40}, "device": "cpu"}
IMAGE = installed().modalities.get("image")
HUGE = [10**400, -(10**400), 10**5000, float("inf"), float("nan"), 1j, "many", np.array([1, 2]), True]


@pytest.fixture(scope="module")
def quick():
    """A quickly made file of PIXELS."""
    return coordcodec.compress(PIXELS, **QUICK)


@pytest.fixture(scope="module")
def sound():
    """A quickly made file of fifty samples."""
    choices = {"modality": "audio", "layers": "siren", "siren": {"steps": 10, "width": 4}, "device": "cpu"}
    return coordcodec.open(coordcodec.compress((np.zeros(50, np.float32), 8000), **choices))


def png(image):
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


# Sources


@pytest.mark.parametrize(
    "source",
    [
        torch.from_numpy(PIXELS),
        torch.from_numpy(PIXELS.T.copy()).T,
        torch.from_numpy(PIXELS.astype(np.float32)).requires_grad_().to(torch.uint8),
        PIXELS.tolist(),
        list(PIXELS),
        list(torch.from_numpy(PIXELS)),
        PIXELS[:, ::-1][:, ::-1],
        np.asfortranarray(PIXELS),
        np.ma.array(PIXELS),
        Image.fromarray(PIXELS),
        png(Image.fromarray(PIXELS)),
        bytearray(png(Image.fromarray(PIXELS))),
        memoryview(png(Image.fromarray(PIXELS))),
    ],
    ids=lambda source: type(source).__name__,
)
def test_the_same_picture_however_it_is_given(source, quick):
    assert coordcodec.compress(source, **QUICK) == quick


def test_tensors_and_lists_become_arrays():
    for tensor in (torch.rand(3, 4), torch.rand(3, 4, requires_grad=True), torch.rand(3, 4, dtype=torch.bfloat16)):
        assert np.array_equal(source_of(tensor), tensor.detach().float().numpy())
    for numbers, dtype in (([0, 255], "u1"), ([0, 256], "u2"), ([-1, 5], "i2"), ([0, 70000], "i4"), ([0, 2**40], "i8")):
        assert source_of(numbers).dtype == dtype
        assert source_of(numbers).tolist() == numbers
    assert source_of([[0.5, 1]]).dtype == np.float64
    swapped = source_of(np.arange(5, dtype=">f8"))
    assert (swapped.dtype.isnative, swapped.tolist()) == (True, [0, 1, 2, 3, 4])
    masked = source_of(np.ma.array(np.arange(3, dtype=">i2"), mask=[0, 1, 0]))
    assert masked.mask.tolist() == [False, True, False]
    sound, rate = source_of((torch.zeros(5), np.int64(8000)))
    assert isinstance(sound, np.ndarray)
    assert type(rate) is int


def test_big_endian_arrays_are_read():
    wide = PIXELS.astype(np.uint16) * 200
    signals = [IMAGE.read(source_of(array)) for array in (wide, wide.astype(">u2"))]
    assert np.array_equal(signals[0].samples, signals[1].samples)


@pytest.mark.parametrize(
    "source",
    [
        [[1, 2], [3]],
        ["a", "b"],
        [None],
        [],
        [10**400],
        None,
        5,
        {},
        object(),
        torch.eye(3).to_sparse(),
        torch.empty(3, 3, device="meta"),
        np.array([None, 1]),
        np.array(["a"]),
        (1, 2),
        (),
    ],
    ids=lambda source: type(source).__name__,
)
def test_what_is_no_source_is_refused_in_one_line(source):
    for modality in ("image", "audio", "field", "sdf"):
        with pytest.raises(SignalError) as caught:
            coordcodec.compress(source, modality=modality, num_bytes=300, effort=1)
        assert "\n" not in str(caught.value)
        assert "please report" not in str(caught.value)


def test_sounds_and_fields_of_lists_and_tensors():
    tone = np.sin(np.arange(400) / 5)
    audio, field = (installed().modalities.get(name) for name in ("audio", "field"))
    expected = audio.read((tone, 8000)).samples
    for given in ((tone.tolist(), 8000), (torch.from_numpy(tone), np.int32(8000)), (torch.from_numpy(tone), 8000)):
        np.testing.assert_array_equal(audio.read(source_of(given)).samples, expected)
    np.testing.assert_array_equal(field.read(source_of([[1, 2], [3, 4]])).samples[:, 0], [1, 2, 3, 4])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "I;16", "I", "P-transparent"])
def test_images_of_pillow_are_read_as_their_files_are(mode):
    colours = Image.fromarray(np.stack([PIXELS, PIXELS[::-1], PIXELS[:, ::-1]], 2))
    if mode in ("I;16", "I"):
        image = Image.fromarray(PIXELS.astype(np.uint16) * 200).convert(mode)
        expected = PIXELS[:, :, None].astype(np.uint16) * 200
    else:
        image = colours.convert(mode.split("-")[0])
        if mode == "P-transparent":
            image.info["transparency"] = 7
        kinds = {"1": "L", "P": "RGB", "PA": "RGBA", "RGBX": "RGB", "P-transparent": "RGBA"}
        expected = np.asarray(image.convert(kinds.get(mode, mode))).reshape(20, 28, -1)
    signal = IMAGE.read(image)
    np.testing.assert_array_equal(signal.samples.reshape(expected.shape), expected)


@pytest.mark.parametrize("mode", ["CMYK", "F", "YCbCr", "HSV"])
def test_images_of_other_modes_are_refused(mode):
    image = Image.new("RGB", (5, 5)).convert(mode) if mode != "F" else Image.new("F", (5, 5))
    with pytest.raises(SignalError, match=f"colour mode {mode}"):
        IMAGE.read(image)
    with pytest.raises(SignalError, match="0 to 65535"):
        IMAGE.read(Image.new("I", (5, 5), 70000))


# Options


@pytest.mark.parametrize(
    "changed",
    [
        {"num_bytes": np.int64(300)},
        {"num_bytes": 300.0},
        {"num_bytes": np.float32(300)},
        {"num_bytes": torch.tensor(300)},
        {"effort": 1.0},
        {"effort": np.uint8(1)},
        {"effort": np.array(1)},
        {"seed": np.int16(0), "threads": np.int8(1)},
        {"siren": {"steps": np.int64(40)}},
        {"siren": {"steps": 40.0}},
    ],
    ids=repr,
)
def test_numbers_of_any_type_are_numbers(changed, quick):
    assert coordcodec.compress(PIXELS, **{**QUICK, **changed}) == quick


@pytest.mark.parametrize(
    "name", ["num_bytes", "rate", "quality", "target_score", "max_error", "time_budget", "effort", "threads", "seed"]
)
def test_impossible_numbers_are_refused_in_one_short_line(name):
    for number in HUGE:
        if name == "max_error" and isinstance(number, complex | float):
            continue  # said by the samples' type, see the next test
        with pytest.raises(CoordCodecError) as caught:
            coordcodec.compress(PIXELS, modality="image", **{name: number})
        assert len(str(caught.value)) < 300
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bound", [float("nan"), float("inf"), 1j, 0, -1, "", "9" * 5000, "1e400", "x%"])
def test_largest_errors_that_are_none_are_refused(bound):
    with pytest.raises(RecipeError) as caught:
        coordcodec.compress(PIXELS, modality="image", max_error=bound)
    assert len(str(caught.value)) < 300


def test_integers_that_are_none_are_refused():
    for name, number in (("effort", 2.5), ("num_bytes", 300.5), ("seed", 0.1), ("quality", 50.5)):
        with pytest.raises(RecipeError, match="must be a whole number"):
            coordcodec.compress(PIXELS, modality="image", **{name: number})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"bytes": 300}, "did you mean num_bytes"),
        ({"eforts": 3}, "did you mean effort"),
        ({"zzzz": 3}, "a recipe has no zzzz; it has rate"),
        ({"siren": {"widht": 3}}, "siren has no choice widht"),
    ],
)
def test_names_that_there_are_not(given, says):
    with pytest.raises(UnknownChoice, match=says) as caught:
        coordcodec.compress(PIXELS, modality="image", **given)
    assert isinstance(caught.value, RecipeError | TypeError)
    assert isinstance(caught.value, CoordCodecError)


def test_options_of_decoding_may_be_of_numpy_too(quick, tmp_path):
    opened = coordcodec.open(quick)
    assert np.array_equal(opened.render(scale=np.float64(2)), opened.render(scale=2))
    assert opened.render(size=(np.int64(5), torch.tensor(7))).shape == (7, 5)
    region = np.array([1, 2, 9, 8])
    assert np.array_equal(opened.render(region=tuple(region)), opened.render()[2:8, 1:9])
    coordcodec.decompress(quick, tmp_path / "a.png", scale=np.int32(2))
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (56, 40)


@pytest.mark.parametrize(
    "number", [10**400, 10**5000, -(10**400), 0, -1, float("nan"), float("inf"), "x", None], ids=shown
)
def test_impossible_outputs_are_refused_in_one_line(number, quick, sound):
    opened = coordcodec.open(quick)
    asked = [
        (opened, {"scale": number}),
        (opened, {"size": (number, 5)}),
        (opened, {"region": (0, 0, number, 5)}),
        (sound, {"sample_rate": number}),
        (sound, {"region": (0, number)}),
    ]
    for file, options in asked:
        if number is None and set(options) != {"size"}:
            continue  # as if it were not there
        with pytest.raises(RecipeError) as caught:
            file.render(**options)
        assert "\n" not in str(caught.value)


def test_plain_and_short():
    assert plain({"a": (np.float32(0.5), [np.int8(3), "x"])}) == {"a": (0.5, [3, "x"])}
    assert plain(None) is None
    assert shown("x" * 1000) == "'" + "x" * 56 + "..."
    assert shown(10**5000) == "a number of 16610 bits"


# An opened file


def test_an_opened_file_is_short_to_look_at(quick):
    assert repr(coordcodec.open(quick)) == f"<Compressed image, 20 x 28, channels: 1, {len(quick)} bytes>"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda opened: pickle.loads(pickle.dumps(opened))])
def test_an_opened_file_can_be_copied_and_pickled(again, quick):
    opened = coordcodec.open(quick).to("cpu", threads=1)
    opened.field(np.zeros((1, 2)))
    found = again(opened)
    assert found == opened
    assert hash(found) == hash(opened)
    assert (found.device, found.threads) == ("cpu", 1)
    assert np.array_equal(found.render(), opened.render())
    assert len(pickle.dumps(opened)) < len(quick) + 300
    part = again(coordcodec.open(quick, partial=True))
    assert part.partial


def test_a_file_with_an_initialisation_can_be_copied_and_pickled():
    from tests.golden import make  # the folder

    folder = make.__file__.rsplit("/", 1)[0]
    opened = coordcodec.open(f"{folder}/v3-init.ccdc", f"{folder}/v3-init.safetensors")
    where = np.array([[0.1, 0.2], [0.3, -0.4]])
    for again in (copy.copy(opened), copy.deepcopy(opened), pickle.loads(pickle.dumps(opened))):
        assert again == opened
        assert np.array_equal(again.field(where), opened.field(where))


# PyTorch's state


def torch_state(kind):
    if kind in ("float64", "float16"):
        return torch_default(getattr(torch, kind))
    if kind == "autocast":
        return torch.autocast("cpu", torch.bfloat16)
    return torch.device(kind) if kind == "meta" else getattr(torch, kind)()


class torch_default:
    """PyTorch's default type, set for a while."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __enter__(self):
        torch.set_default_dtype(self.dtype)

    def __exit__(self, *_):
        assert torch.get_default_dtype() == self.dtype
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("kind", ["float64", "float16", "inference_mode", "no_grad", "autocast", "meta"])
def test_what_the_caller_has_set_in_torch_changes_nothing(kind, quick):
    opened, where = coordcodec.open(quick), np.array([[0.1, 0.2], [0.3, -0.4]])
    large = IMAGE.read(np.tile(PIXELS, (9, 8)))  # large enough for MS-SSIM
    field = opened.field
    expected = opened.render(), field(where), IMAGE.score(field, large)
    with torch_state(kind):
        assert coordcodec.compress(PIXELS, **QUICK) == quick
        again = coordcodec.open(quick)
        assert np.array_equal(again.render(), expected[0])
        assert np.array_equal(again.field(where), expected[1])
        assert IMAGE.score(again.field, large) == expected[2]


@pytest.mark.parametrize("quantizer", ["rd", "adaround", "qat", "uniform"])
def test_every_quantizer_works_within_inference_mode(quantizer):
    choices = {**QUICK, "siren": {"steps": 20, "quantizer": quantizer}}
    expected = coordcodec.compress(PIXELS, **choices)
    with torch.inference_mode(), torch_default(torch.float64):
        assert coordcodec.compress(PIXELS, **choices) == expected


def test_the_default_type_comes_back_however_it_ends():
    with torch_default(torch.float64):
        with pytest.raises(KeyError), usual_torch(), usual_torch():
            assert torch.get_default_dtype() == torch.float32
            raise KeyError
        assert torch.get_default_dtype() == torch.float64
