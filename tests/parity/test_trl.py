"""Losses of DPO and GRPO against trl's trainers, on the same weights and the same log-probabilities, float32.

The trainers' `_compute_loss` is called on a stub that has what it reads: no trainer is built, no data set, no device.
"""

import importlib
from collections import defaultdict
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor

from implementations.networks.gpt import GPT, Size
from implementations.preferences import dpo, grpo, sft
from implementations.preferences.parts.batches import Pairs, Rollouts
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import padded
from tests.parity.conftest import require
from tests.parity.gpt2_layout import load_gpt2

VERSION = "1.16.0"  # a stub knows one version's internals
EXACT = 1e-6  # float32, losses of about 1
VOCABULARY, CONTEXT, END = 29, 24, 0
NORMALISATIONS = ("grpo", "bnpo", "dr_grpo", "dapo")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def trainers() -> SimpleNamespace:
    require("trl", VERSION)
    found = {name: importlib.import_module(f"trl.trainer.{name}") for name in ("dpo_trainer", "grpo_trainer", "utils")}
    return SimpleNamespace(**found)


@pytest.fixture(scope="module")
def transformers(trainers) -> ModuleType:
    return importlib.import_module("transformers")


class OneProcess:
    """An accelerator of one process, on the CPU."""

    device, num_processes, sync_gradients = torch.device("cpu"), 1, True

    def gather(self, x: Tensor) -> Tensor:
        return x

    gather_for_metrics = gather

    def reduce(self, x: Tensor, reduction: str = "sum") -> Tensor:
        return x


def random_tokens(count: int, seed: int, most: int) -> list[list[int]]:
    """Responses of 1 to `most` tokens and an end."""
    lengths = torch.randint(1, most + 1, (count,), generator=generator(seed)).tolist()
    return [
        [*torch.randint(1, VOCABULARY, (length,), generator=generator(seed + row)).tolist(), END]
        for row, length in enumerate(lengths)
    ]


class Both:
    """A small GPT-2 of transformers with trl's head, ours with the same weights, and pairs for both."""

    def __init__(self, trainers: SimpleNamespace, transformers: ModuleType):
        config = transformers.GPT2Config(
            vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=2,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, initializer_range=0.2,
            bos_token_id=END, eos_token_id=END,
        )  # fmt: skip
        self.theirs = transformers.GPT2LMHeadModel(config)
        trainers.utils.add_fused_lm_head(self.theirs, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
        self.ours = load_gpt2(GPT(Size(2, 2, 32, VOCABULARY, CONTEXT), generator(0)), self.theirs.state_dict())
        prompts = [row[:-1] for row in random_tokens(6, 100, 5)]
        chosen, rejected = random_tokens(6, 200, 9), random_tokens(6, 300, 9)
        references = -20 * torch.rand(2, 6, generator=generator(1))
        self.pairs = Pairs(padded(prompts, chosen, END), padded(prompts, rejected, END), *references)
        examples = [
            {"prompt_ids": p, "chosen_ids": c, "rejected_ids": r, "ref_chosen_logps": a, "ref_rejected_logps": b}
            for p, c, r, a, b in zip(prompts, chosen, rejected, *(x.tolist() for x in references), strict=True)
        ]
        self.inputs = trainers.dpo_trainer.DataCollatorForPreference(pad_token_id=END)(examples)


@pytest.fixture
def both(trainers, transformers) -> Both:
    return Both(trainers, transformers)


def dpo_stub(model: torch.nn.Module, loss_type: str, beta: float, label_smoothing: float = 0.0) -> SimpleNamespace:
    return SimpleNamespace(
        model=model,
        accelerator=OneProcess(),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=[loss_type],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=label_smoothing,
        use_weighting=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
        _tp_size=1,
    )


def their_dpo(trainers: SimpleNamespace, both: Both, stub: SimpleNamespace) -> Tensor:
    return trainers.dpo_trainer.DPOTrainer._compute_loss(stub, both.theirs, dict(both.inputs), return_outputs=False)


def close(ours: Tensor, theirs: Tensor | float, tolerance: float = EXACT) -> None:
    torch.testing.assert_close(ours, torch.as_tensor(theirs, dtype=ours.dtype), rtol=0.0, atol=tolerance)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_dpo(trainers, both, beta):
    """Masks, shifts and sums included: they are given tokens, and padded chosen beside rejected."""
    stub = dpo_stub(both.theirs, "sigmoid", beta)
    ours = dpo.loss(both.ours, dpo.Settings(beta=beta), both.pairs, generator(0))
    close(ours, their_dpo(trainers, both, stub))
    close(dpo.accuracy(both.ours, both.pairs).float(), stub._metrics["train"]["rewards/accuracies"][0])


def test_the_gradient_of_dpo(trainers, both):
    their_dpo(trainers, both, dpo_stub(both.theirs, "sigmoid", 0.1)).backward()
    dpo.loss(both.ours, dpo.Settings(beta=0.1), both.pairs, generator(0)).backward()
    close(both.ours.token.weight.grad, both.theirs.transformer.wte.weight.grad, 1e-5)  # sums over 60 places, up to 3


def test_dpo_with_smoothed_labels(trainers, both):
    """Theirs is another loss under that name, "robust", which divides by 1 - 2 s and subtracts: ours, rearranged."""
    s, stub = 0.2, dpo_stub(both.theirs, "robust", 0.1, label_smoothing=0.2)
    clean, flipped = (
        dpo.loss(both.ours, dpo.Settings(beta=0.1), pairs, generator(0))
        for pairs in (
            both.pairs,
            Pairs(both.pairs.rejected, both.pairs.chosen, both.pairs.rejected_reference, both.pairs.chosen_reference),
        )
    )
    close(((1 - s) * clean - s * flipped) / (1 - 2 * s), their_dpo(trainers, both, stub))
    smoothed = dpo.loss(both.ours, dpo.Settings(beta=0.1, label_smoothing=s), both.pairs, generator(0))
    close(smoothed, ((1 - s) * clean + s * flipped).detach())


def test_ipo(trainers, both):
    """Theirs takes log-probabilities a token, ours sums; it divides by the response's tokens in the unshifted mask,
    which are those that are predicted, since no response here begins a sequence. The loss is about 12, at which float32
    rounds by 1e-6: in float64."""
    both.ours.double(), both.theirs.double()
    pairs, means = both.pairs, []
    for side, reference in ((pairs.chosen, pairs.chosen_reference), (pairs.rejected, pairs.rejected_reference)):
        means.append((log_probs(both.ours, side).sum(1) / side.lengths(), reference / side.lengths()))
    (chosen, chosen_reference), (rejected, rejected_reference) = means
    ours = dpo.ipo_loss(chosen, rejected, chosen_reference, rejected_reference, 0.5).mean()
    close(ours, their_dpo(trainers, both, dpo_stub(both.theirs, "ipo", 0.5)))


def test_sft_on_the_chosen_responses(trainers, both):
    ours = sft.loss(both.ours, sft.Settings(), both.pairs.chosen, generator(0))
    close(ours, their_dpo(trainers, both, dpo_stub(both.theirs, "sft", 0.1)))


class Rolled:
    """Eight responses of unequal lengths to two prompts of one token each, and three policies' log-probabilities."""

    def __init__(self) -> None:
        sequences = padded([[1]] * 4 + [[2]] * 4, random_tokens(8, 400, 9), END)
        mask = sequences.mask()
        old, now, reference = (
            -torch.rand(mask.shape, generator=generator(seed)) * mask * scale
            for seed, scale in ((1, 1.0), (2, 1.3), (3, 1.0))
        )
        self.now = now.requires_grad_()
        rewards = torch.rand(8, generator=generator(4))
        self.mask, self.rollouts = mask, Rollouts(sequences, rewards, old, reference, None, 4)

    def inputs(self, advantages: Tensor) -> dict[str, Tensor]:
        tokens = self.rollouts.sequences.tokens
        return {
            "prompt_ids": tokens[:, :1],
            "prompt_mask": torch.ones_like(tokens[:, :1]),
            "completion_ids": tokens[:, 1:],
            "completion_mask": self.mask.long(),
            "advantages": advantages,
            "old_per_token_logps": self.rollouts.log_probs,
            "ref_per_token_logps": self.rollouts.reference,
            "num_items_in_batch": self.mask.sum(),
        }


def grpo_stub(now: Tensor, loss_type: str, beta: float, most: int) -> SimpleNamespace:
    return SimpleNamespace(
        model=SimpleNamespace(training=True),
        accelerator=OneProcess(),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False, steps_per_generation=1),
        _get_per_token_logps_and_entropies=lambda *_, **__: (now, torch.zeros_like(now), None),
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        loss_type=loss_type,
        beta=beta,
        epsilon_low=0.2,
        epsilon_high=0.28,
        max_completion_length=most,
        use_vllm=False,
        current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False,
        _metrics=defaultdict(lambda: defaultdict(list)),
    )


@pytest.mark.parametrize("beta", [0.0, 0.04])
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_grpo(trainers, normalisation, beta):
    """Of log-probabilities that are given, ratios past both clips among them, and the gradient in them."""
    rolled = Rolled()
    rollouts, now = rolled.rollouts, rolled.now
    gained = grpo.group_advantages(rollouts.rewards, 4, "std", 1, 1e-4)
    ratios = (now - rollouts.log_probs).exp()[rolled.mask]
    assert (ratios < 0.8).any()
    assert (ratios > 1.28).any()
    losses = grpo.clipped_loss(now, rollouts.log_probs, gained, 0.2, 0.28) + beta * grpo.k3(now, rollouts.reference)
    ours = grpo.averaged(losses, rolled.mask, normalisation, 16)
    stub = grpo_stub(now, normalisation, beta, 16)
    theirs = trainers.grpo_trainer.GRPOTrainer._compute_loss(stub, stub.model, rolled.inputs(gained))
    close(ours, theirs)
    close(*(torch.autograd.grad(x, [now])[0] for x in (ours, theirs)))


def test_group_advantages(trainers):
    """As `_generate_and_score_completions` computes them: the std of `nanstd`, which is that with ddof 1, plus 1e-4."""
    rewards = torch.rand(12, generator=generator(5))
    grouped = rewards.view(-1, 4)
    std = trainers.utils.nanstd(grouped, dim=1).repeat_interleave(4)
    theirs = (rewards - grouped.mean(1).repeat_interleave(4)) / (std + 1e-4)
    close(grpo.group_advantages(rewards, 4, "std", 1, 1e-4), theirs)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_grpo_with_a_network(trainers, both, normalisation):
    """Our whole `loss`, against theirs on the log-probabilities that our network gives."""
    rolled = Rolled()
    settings = grpo.Settings(
        beta=0.04, clip_low=0.2, clip_high=0.28, normalisation=normalisation, ddof=1, epsilon=1e-4, most=16,
        batch=2, group=4, minibatch=8,
    )  # fmt: skip
    rollouts = rolled.rollouts
    gained = grpo.group_advantages(rollouts.rewards, 4, "std", 1, 1e-4)
    with torch.no_grad():
        now = log_probs(both.ours, rollouts.sequences)
        rollouts = Rollouts(rollouts.sequences, rollouts.rewards, now + 0.3 * rolled.now, rollouts.reference, None, 4)
        rolled.rollouts = rollouts
        stub = grpo_stub(now, normalisation, 0.04, 16)
        theirs = trainers.grpo_trainer.GRPOTrainer._compute_loss(stub, stub.model, rolled.inputs(gained))
        close(grpo.loss(both.ours, settings, rollouts, generator(0)), theirs, 1e-5)  # k3 here is about 5
