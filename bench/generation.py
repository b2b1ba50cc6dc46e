"""Sampling with a cache of keys and values, a batch at a time, against transformers with the same weights.

Both have GPT-2's layout, draw from the whole vocabulary at temperature 1, and never end early, so that both draw as
many tokens. Theirs draw from torch's global generator, ours from one that is handed in.
"""

import torch
from torch import Tensor

from bench.timing import Comparison, compare
from implementations.networks.gpt import GPT, Size, load_gpt2
from implementations.preferences.parts.generation import generate

ROWS, PROMPT, MOST = 32, 8, 64
SMALL = Size(layers=4, heads=4, width=192, vocabulary=1000, context=128)
WIDE = Size(layers=6, heads=6, width=384, vocabulary=50257, context=128)


def against_transformers() -> list[Comparison]:
    """A model of the size that profile `cpu` samples, and one with GPT-2's vocabulary."""
    return [sampling(SMALL), sampling(WIDE)]


def sampling(size: Size) -> Comparison:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=size.vocabulary,
        n_positions=size.context,
        n_embd=size.width,
        n_layer=size.layers,
        n_head=size.heads,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=None,
    )
    theirs = GPT2LMHeadModel(config).eval()
    generator = torch.Generator().manual_seed(0)
    ours = load_gpt2(GPT(size, generator), theirs.state_dict()).eval()
    prompts = torch.randint(size.vocabulary, (ROWS, PROMPT), generator=generator)
    lengths, attended = torch.full((ROWS,), PROMPT), torch.ones_like(prompts)

    def our_tokens() -> Tensor:
        never = size.vocabulary  # no such token is drawn
        return generate(ours, prompts, lengths, MOST, never, 1.0, generator).tokens

    def their_tokens() -> Tensor:
        found: Tensor = theirs.generate(
            prompts,
            attention_mask=attended,
            do_sample=True,
            top_k=0,
            top_p=1.0,
            temperature=1.0,
            max_new_tokens=MOST,
        )
        return found

    if not our_tokens().shape == their_tokens().shape == (ROWS, PROMPT + MOST):
        raise ValueError("both sides are to draw the same number of tokens")
    shape = f"{size.layers} layers of {size.width}, {size.vocabulary:,} tokens"
    return compare(f"{ROWS} responses of {MOST} tokens, GPT-2 with {shape}, transformers", our_tokens, their_tokens)
