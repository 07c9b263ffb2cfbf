"""Encoding with a learned initialisation: what it brings, when it is taken, what a decoder then needs."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import coordcodec
from coordcodec import codec, inits
from coordcodec.data import Grid, Quantized, Signal, round_step
from coordcodec.errors import InitialisationError, MissingInitialisation, RecipeError, UnknownName
from coordcodec.layers.siren import batches, curvature, network, objective, ranges
from coordcodec.layers.siren.penalty import RatePenalty
from coordcodec.learning.plan import Plan
from coordcodec.learning.run import learn
from coordcodec.partition import Partition
from coordcodec.plugins import modality
from coordcodec.specs import SirenSpec
from coordcodec.stream import weights
from coordcodec_bench import ours

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """No initialisations but those that a test puts into these two folders: shipped ones and the cache."""
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    monkeypatch.setattr("coordcodec.inits.store.SHIPPED", shipped)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("COORDCODEC_INITS", raising=False)
    return shipped


@pytest.fixture(scope="module")
def photo():
    with Image.open(ROOT / "examples" / "kodim15.png") as picture:
        return np.asarray(picture.convert("RGB").resize((384, 256), Image.Resampling.LANCZOS))


@pytest.fixture(scope="module")
def learned(photo, tmp_path_factory):
    """An initialisation of width 12, learned from details of the left half of a photograph."""
    folder = tmp_path_factory.mktemp("details")
    rng = np.random.default_rng(0)
    for i in range(24):
        y, x = rng.integers(0, 256 - 64), rng.integers(0, 192 - 96)
        Image.fromarray(photo[y : y + 64, x : x + 96]).save(folder / f"{i:02}.png")
    output = folder / "details.safetensors"
    cache = pytest.MonkeyPatch()
    cache.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    quick = {"outer_steps": 250, "tasks_per_step": 4, "points": 512, "fits": 16, "fit_steps": 250}
    learn(Plan(folders=(str(folder),), modality="image", width=12, output=str(output), device="cpu", **quick))
    cache.undo()
    return output


def encoded(pixels, **choices):
    recipe = codec.make_recipe(modality("image"), None, **{"effort": 1, "device": "cpu", **choices})
    return codec.compress_signal(modality("image").read(pixels), modality("image"), recipe)


def alone(pixels, num_bytes, **choices):
    """The same network, fitted from a random start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fixed size that leaves bytes to spare
        siren = {"architectures": ((3, 12),), **choices.pop("siren", {})}
        return encoded(pixels, init="none", num_bytes=num_bytes, siren=siren, **choices)


def psnr(pixels, made):
    return codec.open(made.data, made.init).score(modality("image").read(pixels))["psnr_db"]


@pytest.mark.parametrize("quantizer", ["qat", "rd"])
def test_few_steps_give_the_better_picture_at_the_same_size(photo, learned, quantizer):
    gains, few = [], {"siren": {"steps": 100, "quantizer": quantizer}}
    for y, x in ((20, 210), (150, 270)):
        pixels = photo[y : y + 64, x : x + 96]
        ours, none = encoded(pixels, num_bytes=800, init=str(learned), **few), alone(pixels, 800, **few)
        assert 0.93 * 800 <= len(ours.data) <= 800
        gains.append(psnr(pixels, ours) - psnr(pixels, none))
    assert np.mean(gains) > 1, gains


@pytest.mark.parametrize("height, width", [(64, 96), (96, 64), (61, 97), (24, 190), (190, 24), (13, 17)])
def test_pictures_of_any_orientation_and_shape(photo, learned, height, width):
    pixels = photo[30 : 30 + height, 192 : 192 + width]
    made = encoded(pixels, init=str(learned), num_bytes=800, siren={"steps": 100})
    assert made.init
    assert made.spec.network == made.init.spec
    opened = codec.open(made.data, made.init)
    decoded = np.asarray(opened.render())
    assert decoded.shape == pixels.shape
    error = float(((decoded.astype(float) - pixels) ** 2).mean())
    # What the score says of the field is what the picture is, and both are about as good as without an initialisation:
    # decoding the wrong way round costs ten decibels and more.
    assert 10 * np.log10(255**2 / error) == pytest.approx(psnr(pixels, made), abs=0.05)
    assert psnr(pixels, made) > psnr(pixels, alone(pixels, 800, siren={"steps": 100})) - 2


def test_turning_a_picture_turns_what_is_decoded(photo, learned):
    pixels = photo[30:94, 220:316]
    upright, turned = (encoded(p, init=str(learned), num_bytes=800) for p in (pixels, pixels.transpose(1, 0, 2)))
    assert abs(psnr(pixels, upright) - psnr(pixels.transpose(1, 0, 2), turned)) < 1.5


def test_the_file_names_it_and_decodes_with_it_alone(photo, learned):
    pixels = photo[30:94, 220:316]
    made = encoded(pixels, init=str(learned), num_bytes=600)
    known = inits.load(learned)
    assert codec.open(made.data).container.init == known.id
    with pytest.raises(MissingInitialisation, match=known.id.hex()):
        _ = codec.open(made.data).field
    inits.keep(learned.read_bytes())
    assert codec.open(made.data).info["init"] == {"hash": known.id.hex(), "name": known.name, "available": True}
    assert np.array_equal(codec.open(made.data).render(), codec.open(made.data, known).render())


def test_a_layer_that_another_one_stands_on_keeps_its_initialisation(photo, learned, tmp_path):
    pixels = photo[30:94, 220:316]
    made = encoded(pixels, init=str(learned), layers="siren+detail", num_bytes=1500, siren={"steps": 60})
    assert [section.spec.kind for section in codec.open(made.data, made.init).container.sections] == ["siren", "detail"]
    assert made.init is not None
    assert made.trained
    assert made.fitted >= 60
    assert psnr(pixels, made) > 20
    with pytest.raises(MissingInitialisation):
        codec.open(made.data).field(np.zeros((1, 2)))


def test_decompressing_takes_it_too(photo, learned, tmp_path):
    made = encoded(photo[30:62, 220:268], init=str(learned), num_bytes=600, siren={"steps": 20})
    coordcodec.decompress(made.data, tmp_path / "a.png", init=learned)
    with Image.open(tmp_path / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), codec.open(made.data, made.init).render())


def test_equal_seeds_give_equal_bytes(photo, learned):
    pixels = photo[30:62, 220:268]
    one, other = (encoded(pixels, init=str(learned), num_bytes=600, siren={"steps": 50}).data for _ in range(2))
    assert one == other


def test_a_signal_in_parts_starts_every_part_there(learned):
    spec = inits.load(learned).spec
    grid = Grid((40, 60))
    x = grid.coords()
    values = np.stack([np.sin(4 * x[:, 0] + k) * np.cos(3 * x[:, 1]) for k in range(3)], axis=1) * 0.8
    signal = Signal(grid, values.astype(np.float32), "image")
    recipe = codec.make_recipe(
        modality("image"), None, init=str(learned), siren={"part_points": 700}, effort=1, device="cpu"
    )
    made = codec.compress_signal(signal, modality("image"), recipe.replace(siren={"width": spec.width}))
    opened = codec.open(made.data, made.init)
    assert np.prod(opened.section.spec.partition.counts) > 2
    assert ((opened.field(x) - values) ** 2).mean() < 1e-2


def test_auto_takes_the_shipped_one_that_fits(photo, learned, places):
    pixels = photo[30:94, 220:316]
    assert encoded(pixels, siren={"width": 12, "steps": 1}).init is None
    inits.keep(learned.read_bytes())
    assert encoded(pixels, siren={"width": 12, "steps": 1}).init is None, "one in the cache is nobody's default"
    (places / "image-w12.safetensors").write_bytes(learned.read_bytes())
    assert encoded(pixels, siren={"width": 12, "steps": 1}).init
    for other in (
        {"siren": {"width": 13}},
        {"siren": {"width": 12}, "init": "none"},
        {"siren": {"width": 12, "depth": 2}},
        {"siren": {"width": 12, "quantizer": "half"}},
        {"preset": "coin", "siren": {"width": 20}},
    ):
        preset = {k: other[k] for k in ("preset",) if k in other}
        recipe = codec.make_recipe(modality("image"), preset.get("preset"), siren={"steps": 1}, device="cpu")
        recipe = recipe.replace(**{k: v for k, v in other.items() if k != "preset"})
        made = codec.compress_signal(modality("image").read(pixels), modality("image"), recipe)
        assert made.init is None, other
        assert codec.open(made.data).container.init == b""
    assert encoded(pixels[:, :, 0], siren={"width": 12, "steps": 1}).init is None, "a grey picture has one channel"


def test_auto_takes_it_where_the_size_suits_its_width(photo, learned, places):
    pixels = photo[30:94, 220:316]
    (places / "image-w12.safetensors").write_bytes(learned.read_bytes())
    parameters = inits.load(learned).spec.parameters
    taken = {
        bits: encoded(pixels, num_bytes=int(150 + parameters * bits / 8), siren={"steps": 1}).init
        for bits in (1, 5, 30)
    }
    assert [bits for bits, init in taken.items() if init] == [5]


def test_what_does_not_fit_is_told_in_one_line(photo, learned, places):
    pixels, name = photo[30:94, 220:316], str(learned)
    with pytest.raises(InitialisationError, match=r"width 12, got width 20"):
        encoded(pixels, init=name, siren={"width": 20})
    with pytest.raises(InitialisationError, match=r"2 dimensions and 3 channels, this has 2 and 1"):
        encoded(pixels[:, :, 0], init=name)
    with pytest.raises(InitialisationError, match="is for image, this is audio"):
        codec.compress((np.zeros(100, np.int16), 8000), modality="audio", init=name)
    with pytest.raises(RecipeError, match="too little for this signal"):
        encoded(pixels, init=name, num_bytes=100)
    with pytest.raises(UnknownName, match="choose from"):
        encoded(pixels, init="nobody")
    assert issubclass(MissingInitialisation, InitialisationError)


def test_the_command_keeps_what_it_was_given(command, photo, learned, tmp_path, monkeypatch):
    Image.fromarray(photo[30:94, 220:316]).save(tmp_path / "a.png")
    made = command("compress", "a.png", "--init", learned, "--effort", 1, "--json")
    facts = json.loads(made.stdout)
    assert facts["init"] == {"hash": inits.load(learned).id.hex(), "name": "details"}
    scored = command("evaluate", "a.png", "a.ccdc", "--json")
    assert json.loads(scored.stdout)["psnr_db"] == pytest.approx(facts["psnr_db"], abs=0.01)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    missing = command("decompress", "a.ccdc", "-o", "b.png")
    assert (missing.returncode, (tmp_path / "b.png").exists()) == (4, False)
    assert missing.stderr.startswith("error: the initialisation ")
    assert missing.stderr.count("\n") == 1
    assert command("info", "a.ccdc").returncode == 0
    assert command("decompress", "a.ccdc", "-o", "b.png", "--init", learned).returncode == 0
    wrong = command("compress", "a.png", "-o", "c.ccdc", "--init", learned, "--width", 9)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


@pytest.fixture
def tiny():
    """A small network near a signal of 24 x 20: spec, signal, parameters."""
    spec = SirenSpec(2, 2, 10, 1, 4, 1500)
    grid = Grid((24, 20))
    x = grid.coords()
    values = np.stack([np.sin(4 * x[:, 0]) * x[:, 1], np.cos(3 * x[:, 1] + x[:, 0])], axis=1) * 0.9
    return spec, Signal(grid, values.astype(np.float32), "waves"), network.init(spec, 1, 0, 3.0)


def near(params, seed=0):
    """An initialisation not far from parameters, and how large updates to it are said to be."""
    generator = torch.Generator().manual_seed(seed)
    origin = {n: t + 0.05 * torch.randn(t.shape, generator=generator) for n, t in params.items()}
    sigmas = {n: 0.05 + 0.05 * torch.rand(t.shape, generator=generator) for n, t in params.items()}
    return origin, sigmas


def objective_of(tiny, penalty=None):
    spec, signal, _ = tiny
    source = batches.batches_of(signal, Partition((1, 1)), spec, 480, 0, CPU)
    return objective.Objective(spec, source, torch.float32, CPU, penalty)


def test_the_penalty_is_the_gradient_of_what_rounding_costs(tiny):
    spec, _, params = tiny
    origin, sigmas = near(params)
    plain, slopes = objective_of(tiny).gradient(params)
    held = RatePenalty(origin, sigmas, dict.fromkeys(params, 1.0), None, 0.5)
    held.cost, held.ratios["weight1"] = 0.3, 2.0
    pulled, pulled_slopes = objective_of(tiny, held).gradient(params)
    weights = {n: 0.5 * 2 * 0.3 / spec.parameters / sigmas[n] / (2 if n == "weight1" else 1) for n in params}
    norm = sum((weights[n] * (params[n] - origin[n]).abs()).sum() for n in params)
    assert float(pulled - plain) == pytest.approx(float(norm), rel=1e-4)
    for name, slope in slopes.items():
        added = weights[name] * torch.sign(params[name] - origin[name])
        assert torch.allclose(pulled_slopes[name] - slope, added, atol=1e-6)


def test_the_penalty_measures_what_rounding_to_the_budget_costs(tiny):
    spec, signal, params = tiny
    # A signal that the parameters meet exactly, so that all error is that of rounding.
    coords = torch.from_numpy(signal.coords.coords().astype(np.float32))[None]
    exact = Signal(signal.coords, network.apply(spec, params, coords)[0].numpy(), "waves")
    tiny = spec, exact, params
    origin, sigmas = near(params)
    codes = {n: np.rint(2 * np.log2(s[0].numpy())).astype(np.int8) for n, s in sigmas.items()}
    sigmas = {n: torch.from_numpy(np.exp2(c / 2, dtype=np.float32))[None] for n, c in codes.items()}
    offsets = {n: 4 * (c.astype(np.int32) - int(c.max())) for n, c in codes.items()}
    costs = []
    for bits in (3.0, 5.0, 7.0):
        held = RatePenalty(origin, sigmas, dict.fromkeys(params, 0.5), bits * spec.parameters, 1.0)
        loss = objective_of(tiny)
        for _ in range(8):
            held.measure(loss, params)
        # Rounded to the steps that it found, updates take about the budget that there is ...
        steps = {n: round_step(s / ranges.UNIT * 2**held.octave) for n, s in held.ranges.items()}
        symbols = {
            n: Quantized(np.rint((params[n] - origin[n]).numpy() / steps[n]).astype(np.int32), steps[n]) for n in params
        }
        taken = 8 * len(weights.parse(weights.encode(symbols, offsets)).payload)
        assert taken == pytest.approx(bits * spec.parameters, rel=0.12)
        # ... and cost about the error that it measured.
        rounded = {n: origin[n] + torch.from_numpy(symbols[n].dequantize()) for n in params}
        before, after = loss.errors([params, rounded])
        costs.append(held.cost)
        if bits > 4:
            assert 0.4 < float(after - before) / held.cost < 2.5
    assert costs[0] > 4 * costs[1] > 16 * costs[2]


def test_ranges_make_every_tensors_rounding_cost_alike(tiny):
    spec, signal, params = tiny
    (source,) = batches.batches_of(signal, Partition((1, 1)), spec, 480, 0, CPU)
    rounds = 40
    sums = dict.fromkeys([*params, ranges.ERROR], 0.0)
    for seed in range(rounds):
        for name, more in ranges.logarithms(spec, params, [source], seed).items():
            sums[name] += more
    reach = ranges.ranges_for(spec, sums, rounds)
    batch = source.next()
    values = curvature.evaluate(spec, params, batch.features)
    generator = torch.Generator().manual_seed(0)
    costs = {}
    for name, tensor in params.items():
        step = reach[name] / 127
        found = []
        for _ in range(rounds):
            noise = (torch.rand(tensor.shape, generator=generator) - 0.5) * step
            moved = curvature.evaluate(spec, {**params, name: tensor + noise}, batch.features)
            found.append(float((moved - values).square().mean()))
        costs[name] = np.mean(found) / tensor.numel()
    whole = sum(cost * params[name].numel() for name, cost in costs.items())
    error = np.exp(sums[ranges.ERROR] / rounds)
    # The sums are of logarithms of single projections, which lie somewhat below the logarithm of their mean.
    assert 0.7 * ranges.SHARE < whole / error < 3 * ranges.SHARE
    assert max(costs.values()) < 5 * min(costs.values()), costs


@pytest.mark.parametrize("channels", [1, 3])
def test_the_grid_of_the_last_bias_is_never_left_to_chance(channels):
    """Its curvature is that of adding a constant. A random projection of one number may all but cancel."""
    spec = SirenSpec(2, channels, 8, 1, 3, 1400)
    grid = Grid((20, 24))
    signal = Signal(grid, np.tile(grid.coords()[:, :1], (1, channels)).astype(np.float32), "test")
    (source,) = batches.batches_of(signal, Partition((1, 1)), spec, 480, 0, CPU)
    for seed in range(30):
        sums = ranges.logarithms(spec, network.init(spec, 1, 0), [source], seed)
        assert sums["bias2"] == pytest.approx(-np.log(channels))


def test_presets_and_lists_know_of_it(learned, places):
    (places / "details.safetensors").write_bytes(learned.read_bytes())
    assert coordcodec.Recipe().init == "auto"
    assert coordcodec.Recipe().with_preset("coin").init == "none"
    assert [e.name for e in inits.available() if e.shipped] == ["details"]


def test_benchmarks_say_which_one_a_file_needs(photo, learned):
    own = ours.parse(f"ours:init={learned}:siren.steps=5")
    kind = modality("image")
    row = ours.measure(own, kind.read(photo[:48, :64]), kind, own.recipe(kind, 1.5, 1, 0, "cpu"))
    assert row["init"] == f"details {inits.load(learned).id.hex()}"
    assert row["setting"].endswith(f"init {learned}, steps 5")
    own = ours.parse("ours:init=none:siren.steps=5")
    assert "init" not in ours.measure(own, kind.read(photo[:48, :64]), kind, own.recipe(kind, 1.5, 1, 0, "cpu"))
