"""GPT-2 and its generation against transformers, with the same random weights."""

import pytest
import torch
from torch import Tensor

from implementations.networks.gpt import GPT, Size
from implementations.preferences.parts.generation import generate
from tests.parity.conftest import ROUNDING, peer
from tests.parity.gpt2_layout import gpt2_name, load_gpt2

SIZE = Size(layers=3, heads=4, width=32, vocabulary=101, context=64)


@pytest.fixture(scope="module")
def transformers():
    return peer("transformers", "5.23.0")


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def both(transformers, request):
    """Their model, every parameter moved off its initial value, and ours with its weights."""
    config = transformers.GPT2Config(
        vocab_size=SIZE.vocabulary, n_positions=SIZE.context, n_embd=SIZE.width, n_layer=SIZE.layers,
        n_head=SIZE.heads, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    theirs = transformers.GPT2LMHeadModel(config).to(request.param).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(1)
    for parameter in theirs.parameters():
        parameter.add_(0.1 * torch.randn(parameter.shape, generator=random))
    theirs.transformer.wpe.weight.mul_(4)  # so that greedy responses do not soon repeat one token
    ours = GPT(SIZE, torch.Generator().manual_seed(2)).to(request.param).eval().requires_grad_(False)
    return load_gpt2(ours, theirs.state_dict()), theirs


def tokens(rows: int, length: int) -> Tensor:
    return torch.randint(SIZE.vocabulary, (rows, length), generator=torch.Generator().manual_seed(3))


def tolerance(model: GPT) -> float:
    """Logits are of order 10: some roundings of float32, whose unit is 1e-6 there, and those of float64."""
    return 1e-5 if model.token.weight.dtype == torch.float32 else ROUNDING


@pytest.mark.parametrize("length", [1, 2, 40, 64])
def test_logits_are_theirs(both, length):
    ours, theirs = both
    x = tokens(5, length)
    torch.testing.assert_close(ours(x), theirs(x).logits, rtol=0.0, atol=tolerance(ours))


def test_the_output_layer_makes_no_difference_to_what_is_loaded(both):
    ours, theirs = both
    other = GPT(SIZE, torch.Generator().manual_seed(4)).to(ours.token.weight.dtype)
    load_gpt2(other, theirs.transformer.state_dict())
    assert torch.equal(other(tokens(2, 9)), ours(tokens(2, 9)))


def test_logits_with_a_cache_are_theirs_with_one(both):
    ours, theirs = both
    x, cache, their_cache = tokens(3, 30), ours.new_cache(), None
    for piece in x.split((7, 1, 1, 21), 1):
        found = theirs(piece, past_key_values=their_cache, use_cache=True)
        their_cache = found.past_key_values
        torch.testing.assert_close(ours(piece, cache), found.logits, rtol=0.0, atol=tolerance(ours))


def test_gradients_are_theirs(both):
    ours, theirs = both
    x, direction = tokens(4, 20), torch.randn(4, 20, SIZE.vocabulary, generator=torch.Generator().manual_seed(5))
    for model, logits in ((ours, ours), (theirs, lambda x: theirs(x).logits)):
        model.requires_grad_(True)
        (logits(x) * direction).sum().div(80).backward()
    found = {gpt2_name(name): parameter.grad for name, parameter in ours.named_parameters()}
    for name, parameter in theirs.named_parameters():
        # Gradients reach about 10, each a sum over 80 places: some more roundings than a logit.
        close = {"rtol": 0.0, "atol": 10 * tolerance(ours)}
        torch.testing.assert_close(found[name.removeprefix("transformer.")], parameter.grad, **close)


def test_greedy_responses_are_theirs_token_for_token(both):
    ours, theirs = both
    prompts = tokens(6, 5)
    expected = theirs.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=False, max_new_tokens=40)
    random = torch.Generator().manual_seed(6)
    found = generate(ours, prompts, torch.full((6,), 5), 40, SIZE.vocabulary, 0.0, random)
    assert torch.equal(found.tokens, expected)
    assert len(found.tokens[:, 5:].unique()) > 10  # not the same token over and over


def test_greedy_responses_end_where_theirs_do(both):
    """Prompts of one length, since theirs pads before shorter ones; the token that ends one is one that comes up."""
    ours, theirs = both
    prompts = tokens(6, 5)
    full = generate(ours, prompts, torch.full((6,), 5), 20, SIZE.vocabulary, 0.0, torch.Generator().manual_seed(6))
    end = int(full.tokens[0, 12])
    expected = theirs.generate(
        prompts, attention_mask=torch.ones_like(prompts), do_sample=False, max_new_tokens=20,
        eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    found = generate(ours, prompts, torch.full((6,), 5), 20, end, 0.0, torch.Generator().manual_seed(6))
    assert found.end[0] <= 13
    assert torch.equal(found.tokens, expected)
