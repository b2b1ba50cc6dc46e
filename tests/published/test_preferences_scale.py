"""Published models of the paper-tier profiles, at full size on the meta device: their sizes, and what training them
takes of each GPU's memory. Nothing is downloaded: the configurations are those of the published models."""

import pytest
import torch

from benchmarks.plan import profiles
from benchmarks.plan.methods import all_methods, tasks
from benchmarks.plan.profiles import Entry, Profile

transformers = pytest.importorskip("transformers")

METHODS = all_methods()
PAPER = {name: profiles.read(name) for name in ("h100_1", "h100_8")}
TRAINED = [
    (name, entry)
    for name, profile in PAPER.items()
    for entry, told in profile.entries.items()
    if METHODS[told.method].family == "preferences" and told.steps is not None
]
GPT_J = {"vocab_size": 50400, "n_positions": 2048, "n_embd": 4096, "n_layer": 28, "n_head": 16, "rotary_dim": 64}
CONFIGURATIONS = {
    "openai-community/gpt2-large": ("GPT2", {"n_embd": 1280, "n_layer": 36, "n_head": 20}),
    "EleutherAI/pythia-2.8b": (
        "GPTNeoX",
        {"vocab_size": 50304, "hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32,
         "intermediate_size": 10240},
    ),
    "EleutherAI/gpt-j-6b": ("GPTJ", {**GPT_J, "tie_word_embeddings": False}),
    "deepseek-ai/deepseek-math-7b-instruct": (
        "Llama",
        {"vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 30,
         "num_attention_heads": 32, "max_position_embeddings": 4096, "tie_word_embeddings": False},
    ),
    "Qwen/Qwen2.5-1.5B": (
        "Qwen2",
        {"vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
         "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True},
    ),
}  # fmt: skip
PARAMETERS = {
    # Vocabulary 50,257 and 1,024 places of 1,280; a layer has 12 d^2 weights and 13 d biases and norms; a last norm.
    "openai-community/gpt2-large": (50257 + 1024) * 1280 + 36 * (12 * 1280**2 + 13 * 1280) + 2 * 1280,
    # As GPT-2 without places, with an output matrix of its own.
    "EleutherAI/pythia-2.8b": 2 * 50304 * 2560 + 32 * (12 * 2560**2 + 13 * 2560) + 2 * 2560,
    # One norm a layer, no biases in attention; an output matrix with biases.
    "EleutherAI/gpt-j-6b": 50400 * (2 * 4096 + 1) + 28 * (12 * 4096**2 + 7 * 4096) + 2 * 4096,
    # Three matrices in a layer's second half, no biases, norms without shifts.
    "deepseek-ai/deepseek-math-7b-instruct": 2 * 102400 * 4096
    + 30 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096)
    + 4096,
    # Keys and values of 2 heads of 128, biases of queries, keys and values; the output matrix is the embedding.
    "Qwen/Qwen2.5-1.5B": 151936 * 1536
    + 28 * (2 * 1536**2 + 2 * 1536 * 256 + 1536 + 2 * 256 + 3 * 1536 * 8960 + 2 * 1536)
    + 1536,
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_published_model_has_its_size(name: str) -> None:
    kind, told = CONFIGURATIONS[name]
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(getattr(transformers, f"{kind}Config")(**told))
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    assert model.get_output_embeddings().weight.shape == (model.config.vocab_size, model.config.hidden_size)
    longest = max(task.context for task in tasks("preferences").values() if task.pretrained == name)
    assert model.config.max_position_embeddings >= longest


def test_every_published_model_is_known_here() -> None:
    used = {tasks("preferences")[PAPER[name].entries[entry].task].pretrained for name, entry in TRAINED}
    assert used == set(CONFIGURATIONS)
    assert all(PAPER[name].entries[entry].settings["network"] == "pretrained" for name, entry in TRAINED)


def copies(entry: Entry) -> int:
    """How many times the weights' size there is in float32: themselves, their gradient, the optimiser's states, the
    best so far and the candidate at a validation; of rollouts the reference, and a learned reward's model."""
    settings = profiles.typed_settings(METHODS[entry.method], entry.settings, entry.method)
    found = 2 + {"rmsprop": 1, "adamw": 2}[settings.optimiser] + 2
    if METHODS[entry.method].learns_from() == "rollouts":
        found += 1 + (getattr(settings, "reward", "true") == "learned")
    return found


def needed_gib(profile: Profile, entry: Entry) -> float:
    """Of each GPU, as the layers lie evenly on all; activations come on top."""
    task = tasks("preferences")[entry.task]
    return copies(entry) * 4 * PARAMETERS[task.pretrained] / 2**30 / profile.hardware.count


@pytest.mark.parametrize(("name", "entry"), TRAINED)
def test_an_entry_fits_its_hardware(name: str, entry: str) -> None:
    profile = PAPER[name]
    assert needed_gib(profile, profile.entries[entry]) < profile.hardware.memory_gib


@pytest.mark.parametrize("entry", ["dpo_tldr", "ppo_tldr", "grpo_gsm8k"])
def test_what_is_on_eight_does_not_fit_one(entry: str) -> None:
    profile = PAPER["h100_8"]
    assert needed_gib(profile, profile.entries[entry]) * profile.hardware.count > profile.hardware.memory_gib
