"""Probability models and the range coder, against independent referees."""

import math
from decimal import localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec.data import Quantized
from coordcodec.errors import ContainerError
from coordcodec.stream import contexts, weight_coder, weight_models, weights
from coordcodec.stream.weight_models import Model
from tests.reference import (
    THRESHOLDS,
    class_places,
    decode_payload,
    model_frequencies,
    payload_reader,
    read_slices,
    read_sorted,
)

MODELS = st.builds(Model, st.integers(1, 255), st.integers(0, 255))


@settings(max_examples=60, deadline=None)
@given(MODELS, st.integers(2, 9))
def test_frequencies_are_whole_positive_symmetric_and_sum_up(model, bits):
    limit = weight_models.limit_of(bits)
    table = weight_models.frequencies(model, limit)
    assert table.sum() == 1 << 24
    assert table.min() >= 1
    assert np.array_equal(table, table[::-1])
    assert (np.diff(table[limit + 1 :]) <= 0).all()
    assert table.tolist() == model_frequencies(model.shape, model.scale, limit)


def test_frequencies_do_not_depend_on_the_users_decimal_context():
    expected = model_frequencies(20, 50, 31)
    with localcontext() as context:
        context.prec = 5
        context.rounding = "ROUND_UP"
        assert weight_models._exact_tail(Model(20, 50), 31).tolist() == expected[32:]


@settings(max_examples=150, deadline=None)
@given(MODELS, st.integers(2, 9))
def test_binary_floating_point_decides_only_what_decimals_decide_too(model, bits):
    limit = weight_models.limit_of(bits)
    quick = weight_models._undoubted_tail(model, limit)
    if quick is not None:
        assert quick.tolist() == weight_models._exact_tail(model, limit).tolist()


def test_a_frequency_in_doubt_is_left_to_decimals(monkeypatch):
    weight_models.frequencies.cache_clear()
    monkeypatch.setattr(weight_models, "_DOUBT", 2.0)
    assert weight_models._undoubted_tail(Model(30, 60), 127) is None
    assert weight_models.frequencies(Model(30, 60), 127).tolist() == model_frequencies(30, 60, 127)


def test_frequencies_are_these_for_ever():
    assert weight_models.frequencies(Model(32, 32), 3).tolist() == GOLDEN_FREQUENCIES
    assert int((weight_models.frequencies(Model(17, 71), 127) * np.arange(1, 256)).sum() % 1_000_003) == GOLDEN_SUM


GOLDEN_FREQUENCIES = [396623, 1078132, 2930665, 7966376, 2930665, 1078132, 396623]
GOLDEN_SUM = 477207


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_encoded_decodes_with_the_library_and_with_the_page(data):
    bits = data.draw(st.integers(2, 8))
    limit = weight_models.limit_of(bits)
    count = data.draw(st.integers(1, 4))
    seeds = [data.draw(st.integers(0, 10**6)) for _ in range(count)]
    models = [data.draw(MODELS) for _ in range(count)]
    tensors = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        spread = limit * rng.random() ** 2
        tensors.append(
            np.clip(np.rint(rng.laplace(0, spread + 0.01, rng.integers(1, 90))), -limit, limit).astype(np.int32)
        )
    payload = weight_coder.encode(tensors, models, limit)
    sizes = [len(t) for t in tensors]
    decoded = weight_coder.decode(payload, [(n,) for n in sizes], models, limit)
    for found, tensor in zip(decoded, tensors, strict=True):
        assert np.array_equal(found, tensor)
    tables = [model_frequencies(m.shape, m.scale, limit) for m in models]
    assert decode_payload(payload, sizes, tables, limit) == [t.tolist() for t in tensors]
    length = sum(weight_models.code_length(t, m, limit) for t, m in zip(tensors, models, strict=True))
    assert len(payload) <= length / 8 + 9  # it may be shorter by luck: zeros at the end are not written


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_classes_decode_with_the_library_and_with_the_page(data):
    limit = weight_models.limit_of(data.draw(st.integers(2, 7)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    boxes, count = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    coarse = data.draw(st.sampled_from([1, 8, 999]))
    codes = [rng.integers(-64, 64, rng.integers(1, 40)) // coarse for _ in range(count)]
    offsets = [4 * (c - c.max()).astype(np.int32) for c in codes]
    spread = [limit * 2.0 ** (o / 8) for o in offsets]
    tensors = [np.clip(np.rint(rng.laplace(0, s, (boxes, len(s)))), -limit, limit).astype(np.int32) for s in spread]
    models = [weight_models.fit_model(t, limit, o) for t, o in zip(tensors, offsets, strict=True)]
    payload = weight_coder.encode(tensors, models, limit, offsets)
    decoded = weight_coder.decode(payload, [t.shape for t in tensors], models, limit, offsets)
    for found, tensor in zip(decoded, tensors, strict=True):
        assert np.array_equal(found, tensor)
    places = [class_places(c.tolist(), boxes) for c in codes]
    classes = [(t, m, o, at) for t, m, of in zip(tensors, models, places, strict=True) for o, at in of]
    tables = [model_frequencies(m.shape, max(0, m.scale + o), limit) for _, m, o, _ in classes]
    read = decode_payload(payload, [len(at) for *_, at in classes], tables, limit)
    assert read == [t.ravel()[at].tolist() for t, _, _, at in classes]
    bits = sum(weight_models.code_length(t, m, limit, o) for t, m, o in zip(tensors, models, offsets, strict=True))
    assert len(payload) <= bits / 8 + 9


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_contexts_decode_with_the_library_and_with_the_page(data):
    bits = data.draw(st.integers(2, 7))
    limit, rng = weight_models.limit_of(bits), np.random.default_rng(data.draw(st.integers(0, 10**6)))
    sides = st.integers(1, 9)
    shapes = data.draw(st.lists(st.tuples(st.integers(1, 3), sides, sides), min_size=1, max_size=3))
    uneven = [limit * rng.random(shape[2]) ** data.draw(st.sampled_from([0, 3])) + 0.01 for shape in shapes]
    drawn = [rng.laplace(0, sigma, shape) for sigma, shape in zip(uneven, shapes, strict=True)]
    tensors = [np.clip(np.rint(d), -limit, limit).astype(np.int32) for d in drawn]
    models = [Model(2 * int(rng.integers(3, 49)), int(rng.integers(0, 256)), int(rng.integers(0, 3))) for _ in drawn]
    payload = weight_coder.encode(tensors, models, limit)
    for found, tensor in zip(weight_coder.decode(payload, shapes, models, limit), tensors, strict=True):
        assert np.array_equal(found, tensor)
    next_symbol = payload_reader(payload, limit)
    for shape, model, tensor in zip(shapes, models, tensors, strict=True):
        if model.context:
            read = read_slices(next_symbol, shape, model.context, model.shape, model.scale, limit)
        else:
            read = [next_symbol(model_frequencies(model.shape, model.scale, limit)) for _ in range(tensor.size)]
        assert read == tensor.ravel().tolist()
    bits = sum(weight_models.code_length(t, m, limit) for t, m in zip(tensors, models, strict=True))
    assert len(payload) <= bits / 8 + 9


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sorted_symbols_decode_with_the_library_and_with_the_page(data):
    limit, rng = (
        weight_models.limit_of(data.draw(st.integers(2, 9))),
        np.random.default_rng(data.draw(st.integers(0, 10**6))),
    )
    shapes = data.draw(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 40)), min_size=1, max_size=3))
    tensors = [np.sort(rng.integers(0, limit + 1, shape), axis=1).astype(np.int32) for shape in shapes]
    models = [weight_models.fit_model(tensor, limit) for tensor in tensors]
    assert all(model.context == contexts.SORTED for model in models)
    payload = weight_coder.encode(tensors, models, limit)
    for found, tensor in zip(weight_coder.decode(payload, shapes, models, limit), tensors, strict=True):
        assert np.array_equal(found, tensor)
    next_symbol = payload_reader(payload, limit)
    for shape, model, tensor in zip(shapes, models, tensors, strict=True):
        assert read_sorted(next_symbol, shape, model.shape, model.scale, limit) == tensor.ravel().tolist()
    bits = sum(weight_models.code_length(t, m, limit) for t, m in zip(tensors, models, strict=True))
    assert len(payload) <= bits / 8 + 9


def test_order_and_signs_are_not_paid_for():
    """Sorted symbols take about log2(n!) + n bits less than the same in any order, with any sign."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(-120, 121, (1, 64)).astype(np.int32)
    plain, ordered = (
        weight_models.code_length(t, weight_models.fit_model(t, 511), 511)
        for t in (drawn, np.sort(np.abs(drawn), axis=1))
    )
    assert plain - ordered > 0.9 * (math.lgamma(65) / math.log(2) + 64)


@pytest.mark.parametrize("shape", [(1, 9), (2, 3), (1, 1)])
def test_only_symbols_that_ascend_from_zero_are_sorted(shape):
    ascending = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    assert weight_models.fit_model(ascending, 15).context == contexts.SORTED
    assert weight_models.fit_model(ascending - 1, 15).context == contexts.NONE
    falling = ascending[:, ::-1]
    assert weight_models.fit_model(falling, 15).context == (contexts.SORTED if shape[1] == 1 else contexts.NONE)
    assert weight_models.fit_model(ascending[:, :, None], 15).context != contexts.SORTED


def test_a_sum_of_differences_beyond_the_limit_is_damage():
    model = Model(32, 60, contexts.SORTED)
    payload = weight_coder.encode([np.array([[3, 9, 15]], np.int32)], [model], 15)
    with pytest.raises(ContainerError, match="damaged payload"):
        weight_coder.decode(
            weight_coder.encode([np.array([[9, 18, 27]], np.int32)], [model], 31), [(1, 3)], [model], 15
        )
    assert weight_coder.decode(payload, [(1, 3)], [model], 15)[0].tolist() == [[3, 9, 15]]


def test_thresholds_are_what_the_page_says_they_are():
    assert list(contexts.THRESHOLDS) == [math.floor(2 ** (16 + k / 4)) for k in range(-15, 8, 2)] == THRESHOLDS


@pytest.mark.parametrize("context", [contexts.COLUMNS, contexts.ROWS])
def test_contexts_are_chosen_where_they_save(context):
    rng = np.random.default_rng(0)
    sigma = 2.0 ** rng.uniform(0, 6, 40)
    sigma = sigma[None, None, :] if context == contexts.COLUMNS else sigma[None, :, None]
    uneven = np.clip(np.rint(rng.laplace(0, sigma, (1, 40, 40))), -127, 127).astype(np.int32)
    model = weight_models.fit_model(uneven, 127)
    assert model.context == context
    lengths = [
        weight_models.code_length(t, weight_models.fit_model(t, 127), 127) for t in np.moveaxis(uneven, 3 - context, 0)
    ]
    alike = weight_models.code_length(uneven, weight_models.fit_model(uneven.ravel(), 127), 127)
    adapted = weight_models.code_length(uneven, model, 127)
    assert adapted < 0.95 * alike
    assert adapted < 1.05 * sum(lengths) + 8  # a model for each, whose bytes are not even counted
    even = rng.permutation(uneven.ravel()).reshape(uneven.shape)
    assert weight_models.fit_model(even, 127).context == contexts.NONE


def test_nothing_overflows_in_the_largest_contexts():
    slices = np.full((1024, 1, 1024), 2047, np.int32)
    slices[:, :, 0] = 0
    offsets = contexts.offsets(slices)
    assert set(offsets[0].ravel()) == {0}
    assert offsets[-1, 0, 0] == -32
    assert set(offsets[-1, 0, 1:]) == {0}


def test_contexts_where_there_can_be_none_are_damage():
    vector, matrix = (1, 5), (1, 5, 5)
    for context, shape, init in (
        (contexts.ROWS, vector, b""),
        (contexts.COLUMNS, matrix, bytes(8)),
        (contexts.SORTED, matrix, b""),
        (contexts.SORTED, vector, bytes(8)),
    ):
        chunk = weights._pack_table(8, [(1.0, Model(32, 40, context))]) + b"123"
        with pytest.raises(ContainerError, match=f"contexts by {contexts.NAMES[context]}, which it cannot have"):
            weights.decode(chunk, {"w": shape}, {"w": np.zeros(shape[1:], np.int32)} if init else None)
    with pytest.raises(ContainerError, match="a model needs"):
        Model(32, 40, 4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_offsets_of_zero_are_as_none(seed, bits):
    limit, rng = weight_models.limit_of(bits), np.random.default_rng(seed)
    tensor = np.clip(np.rint(rng.laplace(0, limit / 4, (2, 5, 7))), -limit, limit).astype(np.int32)
    model, zeros = weight_models.fit_model(tensor, limit), np.zeros((5, 7), np.int32)
    assert weight_models.fit_model(tensor, limit, zeros).shape in range(6, 97)
    assert weight_coder.encode([tensor], [model], limit, [zeros]) == weight_coder.encode([tensor], [model], limit)


def test_known_sizes_save_what_they_should():
    """Half of the weights are sixteen times smaller: the model of each half comes close to fitting it alone."""
    rng = np.random.default_rng(0)
    offsets = np.repeat(np.array([0, -32], np.int32), 4000)
    tensor = np.clip(np.rint(rng.laplace(0, 20 * 2.0 ** (offsets / 8))), -127, 127).astype(np.int32)
    model = weight_models.fit_model(tensor, 127, offsets)
    apart = sum(weight_models.code_length(t, weight_models.fit_model(t, 127), 127) for t in np.split(tensor, 2))
    mixed = weight_models.code_length(tensor, weight_models.fit_model(tensor, 127), 127)
    assert weight_models.code_length(tensor, model, 127, offsets) < 1.003 * apart < 0.9 * mixed


def test_the_chosen_models_are_the_best_of_all_that_are_tried():
    rng = np.random.default_rng(3)
    offsets = -4 * rng.integers(0, 6, 300).astype(np.int32)
    tensor = np.clip(np.rint(rng.laplace(0, 9 * 2.0 ** (offsets / 8))), -31, 31).astype(np.int32)
    best = min(
        weight_models.code_length(tensor, Model(shape, scale), 31, offsets)
        for shape in range(6, 97, 2)
        for scale in range(0, 100, 2)
    )
    assert weight_models.code_length(tensor, weight_models.fit_model(tensor, 31, offsets), 31, offsets) < best + 0.1


def test_the_chosen_models_do_not_change_by_accident():
    """Which model the encoder chooses is its own affair, but equal symbols should make equal files."""
    rng = np.random.default_rng(5)
    drawn = (rng.laplace(0, 9, 500), rng.normal(0, 3, 500), rng.standard_t(1.5, 500) * 2)
    tensors = [np.clip(np.rint(x), -63, 63).astype(np.int32) for x in drawn]
    assert [weight_models.fit_model(t, 63) for t in tensors] == [Model(26, 54), Model(72, 50), Model(20, 36)]


def test_updates_that_are_all_zero_take_no_payload_and_come_back():
    shapes, offsets = {"w": (1, 300, 300)}, {"w": np.zeros((300, 300), np.int32)}
    chunk = weights.encode({"w": Quantized(np.zeros((1, 300, 300), np.int32), 1.0)}, offsets)
    assert len(weights.parse(chunk).payload) <= 4
    assert not weights.decode(chunk, shapes, offsets)["w"].symbols.any()
    with pytest.raises(ContainerError, match="1440000 parameters in a payload of"):
        weights.decode(chunk, {"w": (16, 300, 300)}, offsets)


def test_the_chosen_model_comes_close_to_the_entropy():
    rng = np.random.default_rng(0)
    for symbols in (
        rng.laplace(0, 9, 5000),
        rng.normal(0, 20, 5000),
        rng.standard_t(1.5, 5000) * 2,
        rng.uniform(-40, 40, 5000),
    ):
        tensor = np.clip(np.rint(symbols), -127, 127).astype(np.int32)
        _, counts = np.unique(tensor, return_counts=True)
        ideal = -(counts * np.log2(counts / len(tensor))).sum()
        model = weight_models.fit_model(tensor, 127)
        # An empirical histogram knows each frequency; two bytes cannot, but nearly.
        assert weight_models.code_length(tensor, model, 127) < 1.035 * ideal + 16


@pytest.mark.parametrize("value", [0, 5, -127])
def test_constant_tensors_cost_little_and_come_back(value):
    tensor = np.full(4096, value, np.int32)
    model = weight_models.fit_model(tensor, 127)
    payload = weight_coder.encode([tensor], [model], 127)
    assert np.array_equal(weight_coder.decode(payload, [(4096,)], [model], 127)[0], tensor)
    if value == 0:
        assert len(payload) < 8


def test_symbols_beyond_the_limit_are_a_mistake_of_ours():
    with pytest.raises(ValueError, match="limit"):
        weight_coder.encode([np.array([8], np.int32)], [Model(32, 32)], 7)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.tuples(st.integers(1, 2), st.integers(1, 9), st.integers(1, 9)), st.integers(0, 3))
def test_arbitrary_payloads_with_contexts_decode_or_are_refused(payload, shape, context):
    model = Model(30, 60, context)
    shape = shape[:2] if context == contexts.SORTED else shape
    try:
        (decoded,) = weight_coder.decode(payload, [shape], [model], 15)
    except ContainerError:
        return
    assert decoded.shape == shape
    assert np.abs(decoded).max() <= 15
    again = weight_coder.encode([decoded], [model], 15)
    assert np.array_equal(weight_coder.decode(again, [shape], [model], 15)[0], decoded)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 300), MODELS)
def test_arbitrary_payloads_decode_or_are_refused(payload, count, model):
    try:
        (decoded,) = weight_coder.decode(payload, [(count,)], [model], 15)
    except ContainerError:
        return
    assert len(decoded) == count
    assert np.abs(decoded).max() <= 15
    again = weight_coder.encode([decoded], [model], 15)
    assert np.array_equal(weight_coder.decode(again, [(count,)], [model], 15)[0], decoded)


def test_words_left_over_zeros_at_the_end_and_a_state_that_no_encoder_leaves_are_refused():
    drawn = np.rint(np.random.default_rng(0).laplace(0, 8, 400)).clip(-63, 63).astype(np.int32)
    model = Model(32, 50)
    payload = weight_coder.encode([drawn], [model], 63)
    for longer in (payload + b"\0", payload + b"\0\0\0\0\1", payload + bytes(range(1, 12))):
        with pytest.raises(ContainerError, match="its end does not match"):
            weight_coder.decode(longer, [(400,)], [model], 63)
    with pytest.raises(ContainerError):
        weight_coder.decode(payload, [(300,)], [model], 63)


def test_a_decode_encodes_nothing(monkeypatch):
    import constriction

    payload = weight_coder.encode([np.arange(-7, 8, dtype=np.int32)], [Model(32, 32)], 7)
    monkeypatch.setattr(constriction.stream.queue, "RangeEncoder", None)
    assert weight_coder.decode(payload, [(15,)], [Model(32, 32)], 7)[0].tolist() == list(range(-7, 8))
