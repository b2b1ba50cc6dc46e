"""A training step of DPO on a small GPT-2: our loss and network against trl's loss and transformers' network.

The same weights, pairs and optimiser; the reference's log-probabilities are precomputed on both sides. trl's loss is
its trainer's `_compute_loss` with its own head, called on a stub of what it reads, so that no trainer's bookkeeping is
timed, but the entropies and other averages that the loss itself logs are: it cannot do without.
"""

import importlib
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from bench.timing import Comparison, compare
from implementations.networks.gpt import GPT, Size, load_gpt2
from implementations.preferences import dpo
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.sequences import padded

LAYERS, HEADS, WIDTH, VOCABULARY, CONTEXT = 4, 4, 192, 2048, 64  # ours is `gpt_mini`
PAIRS, END = 32, 0


class _OneProcess:
    device = torch.device("cpu")

    def gather(self, x: Tensor) -> Tensor:
        return x

    gather_for_metrics = gather


def against_trl() -> list[Comparison]:
    """Prompts of 2 to 8 tokens, responses of 4 to 32, AdamW."""
    transformers = importlib.import_module("transformers")
    trainer = importlib.import_module("trl.trainer.dpo_trainer")
    generator = torch.Generator().manual_seed(0)

    def tokens(least: int, most: int) -> list[list[int]]:
        lengths = torch.randint(least, most + 1, (PAIRS,), generator=generator).tolist()
        return [torch.randint(1, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]

    prompts, chosen, rejected = tokens(2, 8), tokens(4, 32), tokens(4, 32)
    references = -150 * torch.rand(2, PAIRS, generator=generator)
    pairs = Pairs(padded(prompts, chosen, END), padded(prompts, rejected, END), *references)
    examples = [
        {"prompt_ids": p, "chosen_ids": c, "rejected_ids": r, "ref_chosen_logps": a, "ref_rejected_logps": b}
        for p, c, r, a, b in zip(prompts, chosen, rejected, *references.tolist(), strict=True)
    ]
    inputs = trainer.DataCollatorForPreference(pad_token_id=END)(examples)

    config = transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=END, eos_token_id=END,
    )  # fmt: skip
    theirs = transformers.GPT2LMHeadModel(config)
    trainer.add_fused_lm_head(theirs, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    ours = load_gpt2(GPT(Size(LAYERS, HEADS, WIDTH, VOCABULARY, CONTEXT), generator), theirs.state_dict())
    settings = dpo.Settings(optimiser="adamw", learning_rate=1e-5)
    stub = SimpleNamespace(
        model=theirs, accelerator=_OneProcess(), aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
        f_divergence_type="reverse_kl", loss_types=["sigmoid"], loss_weights=[1.0], beta=settings.beta,
        label_smoothing=0.0, use_weighting=False, _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0, _tp_size=1,
    )  # fmt: skip

    def our_loss() -> Tensor:
        return dpo.loss(ours, settings, pairs, generator)

    def their_loss() -> Tensor:
        return trainer.DPOTrainer._compute_loss(stub, theirs, dict(inputs), return_outputs=False)

    torch.testing.assert_close(our_loss(), their_loss(), rtol=1e-5, atol=1e-5)  # or they would not do the same
    what = f"DPO step, {LAYERS} layers x {WIDTH}, {PAIRS} pairs against trl"
    return [compare(what, _step(ours, settings, our_loss), _step(theirs, settings, their_loss))]


def _step(model: nn.Module, settings: dpo.Settings, loss: Callable[[], Tensor]) -> Callable[[], None]:
    optimiser = dpo.METHOD.recipe.optimiser(model, settings)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        optimiser.step()

    return step
