"""Weights in GPT-2's layout for our network, so that both can be held against each other."""

from collections.abc import Mapping

import torch
from torch import Tensor

from implementations.networks.gpt import GPT

NAMES = {
    "token": "wte",
    "position": "wpe",
    "blocks": "h",
    "attention_norm": "ln_1",
    "attention_in": "attn.c_attn",
    "attention_out": "attn.c_proj",
    "perceptron_norm": "ln_2",
    "perceptron_in": "mlp.c_fc",
    "perceptron_out": "mlp.c_proj",
    "norm": "ln_f",
}


def gpt2_name(name: str) -> str:
    """`h.0.attn.c_attn.weight` of `blocks.0.attention_in.weight`."""
    return ".".join(NAMES.get(part, part) for part in name.split("."))


def load_gpt2(model: GPT, state: Mapping[str, Tensor]) -> GPT:
    """Copies the weights of a transformers model, with or without output layer, into `model`, every one of them."""
    theirs = {name.removeprefix("transformer."): value for name, value in state.items()}
    theirs = {name: value for name, value in theirs.items() if not name.endswith((".attn.bias", ".attn.masked_bias"))}
    output = theirs.pop("lm_head.weight", theirs["wte.weight"])
    assert torch.equal(output, theirs["wte.weight"])
    model.load_state_dict({name: theirs.pop(gpt2_name(name)) for name in model.state_dict()})
    assert not theirs
    return model
