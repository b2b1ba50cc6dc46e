"""GPT has GPT-2's sizes and weights, looks at no later token, and a cache changes nothing but the work."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import gelu, layer_norm

from implementations.networks.gpt import FIRST_CAPACITY, GPT, Size, _rotations
from implementations.preferences.parts.models import Scored, language_model
from tests.exact.noisy_networks import generator, moved, normal, size

SMALL = Size(layers=2, heads=2, width=16, vocabulary=11, context=150)
EXACT = 1e-12  # float64: logits of order 1, from sums in another order
POSITIONS = pytest.mark.parametrize("positions", ["learned", "rotary"])


def network(seed=0, **changes) -> GPT:
    """Float64 and off its initial values, among which are zeros and ones."""
    return moved(GPT(replace(SMALL, **changes), generator(seed)))


def tokens(rows: int, length: int, seed: int = 3) -> torch.Tensor:
    return torch.randint(SMALL.vocabulary, (rows, length), generator=generator(seed))


@pytest.mark.parametrize(
    ("network", "vocabulary", "parameters"),
    [
        ("gpt2", 50257, 124_439_808),  # transformers' gpt2
        ("gpt2", 50304, 124_475_904),  # nanoGPT pads the vocabulary to a multiple of 64
        ("gpt2_medium", 50257, 354_823_168),
        ("gpt2_large", 50257, 774_030_080),
        ("gpt2_xl", 50257, 1_557_611_200),
    ],
)
def test_published_sizes(network, vocabulary, parameters):
    with torch.device("meta"):
        model = language_model(network, vocabulary, 1024, None)
    assert size(model) == parameters
    assert all(parameter.is_meta for parameter in model.parameters())


def test_nano_gpts_character_model_is_this_one_without_biases():
    with torch.device("meta"):
        model = GPT(Size(layers=6, heads=6, width=384, vocabulary=65, context=256), None)
    assert sum(p.numel() for name, p in model.named_parameters() if not name.endswith("bias")) == 10_745_088


@POSITIONS
def test_parameters_follow_the_formula(positions):
    with torch.device("meta"):
        model = GPT(Size(3, 4, 24, 100, 50, positions), None)
    learned = 50 * 24 if positions == "learned" else 0
    assert size(model) == 100 * 24 + learned + 3 * (12 * 24**2 + 13 * 24) + 2 * 24


def test_the_state_is_parameters_alone():
    model = network(positions="rotary")
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


@POSITIONS
def test_is_what_the_docstring_writes(positions):
    """One head after the other, with a softmax written out, and rotations as complex numbers."""
    model, x = network(positions=positions), tokens(2, 7)
    w, heads, d = SMALL.width, SMALL.heads, SMALL.width // SMALL.heads

    def norm(of, h):
        return layer_norm(h, (w,), of.weight, of.bias, 1e-5)

    def dense(of, h):
        return h @ of.weight + of.bias

    def turned(part):
        angles = torch.arange(7, dtype=torch.float64)[:, None] * 10_000.0 ** -(torch.arange(d // 2).double() / (d / 2))
        found = torch.complex(part[..., : d // 2], part[..., d // 2 :]) * torch.polar(torch.ones(()).double(), angles)
        return torch.cat([found.real, found.imag], -1)

    h = model.token.weight[x]
    if positions == "learned":
        h = h + model.position.weight[:7]
    for block in model.blocks:
        queries, keys, values = dense(block.attention_in, norm(block.attention_norm, h)).split(w, dim=-1)
        found = []
        for head in range(heads):
            q, k, v = (part[..., head * d : (head + 1) * d] for part in (queries, keys, values))
            if positions == "rotary":
                q, k = turned(q), turned(k)
            scores = (q @ k.transpose(1, 2) / math.sqrt(d)).masked_fill(torch.ones(7, 7).triu(1).bool(), -math.inf)
            found.append(scores.softmax(-1) @ v)
        h = h + dense(block.attention_out, torch.cat(found, -1))
        inner = dense(block.perceptron_in, norm(block.perceptron_norm, h))
        h = h + dense(block.perceptron_out, gelu(inner, approximate="tanh"))
    expected = norm(model.norm, h) @ model.token.weight.t()
    torch.testing.assert_close(model(x), expected, rtol=0.0, atol=EXACT)


@POSITIONS
def test_a_later_token_changes_no_earlier_logit_by_a_bit(positions):
    model, one = network(positions=positions), tokens(3, 40)
    before = model(one)
    for place in (1, 17, 39):
        other = one.clone()
        other[:, place] = (other[:, place] + 1) % SMALL.vocabulary
        after = model(other)
        assert torch.equal(after[:, :place], before[:, :place])
        assert (after[:, place:] - before[:, place:]).abs().amax((0, 2)).min() > 1e-6  # and all later ones are changed


@POSITIONS
def test_padding_on_the_right_changes_nothing_before_it(positions):
    model, x = network(positions=positions), tokens(2, 9)
    longer = torch.cat([x, torch.zeros(2, 30, dtype=torch.int64)], 1)
    torch.testing.assert_close(model(longer)[:, :9], model(x), rtol=0.0, atol=EXACT)


@POSITIONS
@pytest.mark.parametrize("pieces", [(1,) * 20, (5, 1, 1, 13), (1, 7, 12), (20,), (3, FIRST_CAPACITY, 1, 40, 2)])
def test_a_cache_gives_what_a_whole_pass_gives(positions, pieces):
    """One token at a time and several, and beyond the memory that the cache begins with."""
    model, x = network(positions=positions), tokens(3, sum(pieces))
    cache = model.new_cache()
    with torch.no_grad():
        found = torch.cat([model(piece, cache) for piece in x.split(pieces, 1)], 1)
        torch.testing.assert_close(found, model(x), rtol=0.0, atol=EXACT)
    assert cache.length == sum(pieces)


def test_a_cache_never_holds_more_than_the_context():
    model = network(context=100)
    cache = model.new_cache()
    with torch.no_grad():
        model(tokens(2, 90), cache)
        model(tokens(2, 10), cache)
    assert cache.kept[0].shape == (2, 2, 2, 100, 8)
    with pytest.raises(ValueError, match="101 tokens do not fit a context of 100"):
        model(tokens(2, 1), cache)


def test_rotary_logits_of_one_layer_know_differences_of_positions_only():
    """The same tokens, at positions that are all moved by 100."""
    model = network(positions="rotary", layers=1)
    block, x = model.blocks[0], tokens(2, 9)
    h = model.token(x).view(-1, 16)
    here, moved_on = (block(h, 2, _rotations(start, 9, 8, h)) for start in (0, 100))
    torch.testing.assert_close(moved_on, here, rtol=0.0, atol=EXACT)
    assert (block(h, 2) - here).abs().max() > 1e-4  # positions do matter


@POSITIONS
def test_the_order_of_tokens_matters(positions):
    model = network(positions=positions)
    one, other = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[2, 1, 3, 4]])
    assert (model(one)[:, -1] - model(other)[:, -1]).abs().max() > 1e-4


def test_weights_come_from_the_generator_alone_with_gpt2s_spread():
    untouched = torch.get_rng_state()
    large = replace(SMALL, layers=8, width=64, vocabulary=500, context=400)
    first, again, other = (GPT(large, generator(seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), untouched)
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name, value in first.items():
        if name.endswith("bias"):
            assert (value == 0).all()
        elif "norm" in name:
            assert (value == 1).all()
        else:
            spread = 0.02 / math.sqrt(16) if "_out" in name else 0.02
            # The standard deviation of n normal values has a standard error of 1 / sqrt(2 n), relative; 5 of them.
            assert abs(value.std() / spread - 1) < 5 / math.sqrt(2 * value.numel()), name
            assert abs(value.mean()) < 5 * spread / math.sqrt(value.numel()), name
            assert not torch.equal(value, other[name])


def test_a_gradient_reaches_every_parameter():
    model = network(vocabulary=5, context=6)
    logits = model(torch.tensor([[0, 1, 2, 3, 4, 0]]))
    (logits * normal(1, 6, 5)).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())
    assert all((parameter.grad != 0).any() for parameter in model.parameters())


def test_a_context_and_a_width_that_do_not_fit_are_told():
    with pytest.raises(ValueError, match="151 tokens do not fit a context of 150"):
        network()(tokens(1, 151))
    with pytest.raises(ValueError, match="3 heads with learned positions do not divide width 16"):
        network(heads=3)
    with pytest.raises(ValueError, match="16 heads with rotary positions"):
        network(heads=16, positions="rotary")  # a head of one feature, where a rotation needs two
    with pytest.raises(ValueError, match="need a generator"):
        GPT(SMALL, None)


def test_networks_by_name():
    for name, width in (("gpt_nano", 64), ("gpt_micro", 128), ("gpt_mini", 192)):
        model = language_model(name, 20, 30, generator(0))
        assert (model.vocabulary, model.width, model.context) == (20, width, 30)
    with torch.device("meta"):
        assert language_model("gpt2", 50257, 64, None).context == 1024
        with pytest.raises(ValueError, match="context of 1024 tokens, not 1025"):
            language_model("gpt2", 50257, 1025, None)
    with pytest.raises(ValueError, match="hand in the model"):
        language_model("pretrained", 20, 30, generator(0))
    with pytest.raises(ValueError, match="no network 'gpt3'"):
        language_model("gpt3", 20, 30, generator(0))


def test_a_score_starts_at_zero_and_learns_at_once():
    model, x = Scored(network()), tokens(2, 9)
    assert torch.equal(model.values(x), torch.zeros(2, 9, dtype=torch.float64))
    (model.values(x) * normal(2, 9)).sum().backward()
    assert (model.head.weight.grad != 0).all()


def test_a_score_is_linear_in_the_hidden_state_and_comes_with_the_trunks_logits():
    model, x = moved(Scored(network())), tokens(2, 9)
    logits, values = model(x)
    assert torch.equal(logits, model.trunk(x))
    expected = model.trunk.hidden(x) @ model.head.weight[0] + model.head.bias
    torch.testing.assert_close(values, expected, rtol=0.0, atol=EXACT)
    assert torch.equal(model.values(x), values)
