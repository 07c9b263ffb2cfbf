"""Probability models and the range coder, against independent referees."""

from decimal import localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordcodec.errors import ContainerError
from coordcodec.stream import entropy
from coordcodec.stream.entropy import Model
from tests.reference import decode_payload, model_frequencies

MODELS = st.builds(Model, st.integers(1, 255), st.integers(0, 255))


@settings(max_examples=60, deadline=None)
@given(MODELS, st.integers(2, 9))
def test_frequencies_are_whole_positive_symmetric_and_sum_up(model, bits):
    limit = entropy.limit_of(bits)
    table = entropy.frequencies(model, limit)
    assert table.sum() == 1 << 24
    assert table.min() >= 1
    assert np.array_equal(table, table[::-1])
    assert (np.diff(table[limit + 1 :]) <= 0).all()
    assert table.tolist() == model_frequencies(model.shape, model.scale, limit)


def test_frequencies_do_not_depend_on_the_users_decimal_context():
    expected = model_frequencies(20, 50, 31)
    entropy.frequencies.cache_clear()
    with localcontext() as context:
        context.prec = 5
        context.rounding = "ROUND_UP"
        assert entropy.frequencies(Model(20, 50), 31).tolist() == expected


def test_frequencies_are_these_for_ever():
    assert entropy.frequencies(Model(32, 32), 3).tolist() == GOLDEN_FREQUENCIES
    assert int((entropy.frequencies(Model(17, 71), 127) * np.arange(1, 256)).sum() % 1_000_003) == GOLDEN_SUM


GOLDEN_FREQUENCIES = [396623, 1078132, 2930665, 7966376, 2930665, 1078132, 396623]
GOLDEN_SUM = 477207


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_encoded_decodes_with_the_library_and_with_the_page(data):
    bits = data.draw(st.integers(2, 8))
    limit = entropy.limit_of(bits)
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
    payload = entropy.encode(tensors, models, limit)
    sizes = [len(t) for t in tensors]
    for decoded, tensor in zip(entropy.decode(payload, sizes, models, limit), tensors, strict=True):
        assert np.array_equal(decoded, tensor)
    tables = [model_frequencies(m.shape, m.scale, limit) for m in models]
    assert decode_payload(payload, sizes, tables, limit) == [t.tolist() for t in tensors]
    length = sum(entropy.code_length(t, m, limit) for t, m in zip(tensors, models, strict=True))
    assert len(payload) <= length / 8 + 9  # it may be shorter by luck: zeros at the end are not written


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
        model = entropy.fit_model(tensor, 127)
        # An empirical histogram knows each frequency; two bytes cannot, but nearly.
        assert entropy.code_length(tensor, model, 127) < 1.035 * ideal + 16


@pytest.mark.parametrize("value", [0, 5, -127])
def test_constant_tensors_cost_little_and_come_back(value):
    tensor = np.full(4096, value, np.int32)
    model = entropy.fit_model(tensor, 127)
    payload = entropy.encode([tensor], [model], 127)
    assert np.array_equal(entropy.decode(payload, [4096], [model], 127)[0], tensor)
    if value == 0:
        assert len(payload) < 8


def test_symbols_beyond_the_limit_are_a_mistake_of_ours():
    with pytest.raises(ValueError, match="limit"):
        entropy.encode([np.array([8], np.int32)], [Model(32, 32)], 7)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 300), MODELS)
def test_arbitrary_payloads_decode_or_are_refused(payload, count, model):
    try:
        (decoded,) = entropy.decode(payload, [count], [model], 15)
    except ContainerError:
        return
    assert len(decoded) == count
    assert entropy.encode([decoded], [model], 15) == payload
