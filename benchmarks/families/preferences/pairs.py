"""Completions of a trained model, with their true rewards: made once, kept as arrays, learned from by others.

Settings count pairs; of each prompt `completions` are drawn, and every two of them whose rewards differ are a pair.
Those of equal reward are no pair, so that there may be fewer than were asked for.
"""

import json
from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.families.preferences.models import decoded, padded_prompts, read_at_once, untrained
from benchmarks.families.preferences.worlds import Comparisons, world
from benchmarks.files.errors import InputError
from benchmarks.run import inputs
from benchmarks.run.job import PairsJob
from benchmarks.run.seeds import derive, torch_generator
from benchmarks.run.torch_flags import TorchFlags
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.generation import generate
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import Sequences, padded

BATCH = 512  # pairs, about, of prompts that are answered at once
HELD_OUT = 10  # every tenth prompt is for validation
ARRAYS = ("tokens", "prompt", "end", "rewards", "log_probs")


@dataclass(frozen=True)
class Completions:
    """`each` responses to every prompt, one after the other."""

    sequences: Sequences
    rewards: Tensor  # (rows,), float64
    log_probs: Tensor  # (rows,), nats: of the whole response under the model that drew it
    each: int

    def pairs(self) -> Pairs:
        """Every two responses to one prompt whose rewards differ, the better first."""
        better, worse = [], []
        for first in range(0, len(self.rewards), self.each):
            for one, other in combinations(range(first, first + self.each), 2):
                if self.rewards[one] != self.rewards[other]:
                    one, other = (one, other) if self.rewards[one] > self.rewards[other] else (other, one)
                    better.append(one)
                    worse.append(other)
        chosen, rejected = torch.tensor(better, dtype=torch.int64), torch.tensor(worse, dtype=torch.int64)
        of = self.sequences
        return Pairs(of.rows(chosen), of.rows(rejected), self.log_probs[chosen], self.log_probs[rejected])

    def rewarded(self, least: float) -> Sequences:
        """Responses with at least that reward."""
        return self.sequences.rows((self.rewards >= least).nonzero().flatten())


def make(job: PairsJob) -> None:
    """Writes completions; `report` is told how many pairs' worth there are.

    Where people have judged, the two responses to a prompt are theirs: the preferred with reward 1, the other with 0.
    """
    TorchFlags(**job.arithmetic).apply()
    method, task, seed, count = job.method, job.task, job.seed, job.count
    here = world(task, lambda: inputs.corpus(job), job.device)
    generator = torch_generator(seed, "initial weights")
    model = untrained(method, job.settings, task, here.vocabulary, generator, job.device)
    model.load_state_dict(inputs.weights(job, "model"))
    policy = method.policy(model.eval().requires_grad_(False))
    each = task.completions
    step = max(1, min(BATCH // comb(each, 2), read_at_once(task, here.vocabulary) // each))
    end = here.vocabulary.end
    if isinstance(here, Comparisons):
        given = here.pairs("train")[:count]
        places = range(0, len(given), step)
    else:
        prompts = here.prompts("train", ceil(count / comb(each, 2)))
        places = range(0, len(prompts), step)
    kept: dict[str, list[Tensor]] = {name: [] for name in ARRAYS}
    for first in places:
        if isinstance(here, Comparisons):
            rows = [(prompt, side) for prompt, *both in given[first : first + step] for side in both]
            drawn = padded([prompt for prompt, _ in rows], [side for _, side in rows], end).to(job.device)
            rewards = [1.0, 0.0] * (len(rows) // 2)
        else:
            asked = [prompt for prompt in prompts[first : first + step] for _ in range(each)]
            draws = torch_generator(derive(seed, f"completions from prompt {first}"), "completions", job.device)
            tokens, lengths = padded_prompts(asked, end, job.device)
            drawn = generate(policy, tokens, lengths, task.most, end, 1.0, draws)
            rewards = here.rewards(asked, decoded(drawn))
        with torch.no_grad():
            likelihoods = log_probs(policy, drawn).sum(1)
        width = task.context - drawn.tokens.shape[1]
        kept["tokens"].append(torch.nn.functional.pad(drawn.tokens, (0, width), value=end).cpu())
        kept["prompt"].append(drawn.prompt.cpu())
        kept["end"].append(drawn.end.cpu())
        kept["log_probs"].append(likelihoods.double().cpu())
        kept["rewards"].append(torch.tensor(rewards, dtype=torch.float64))
        job.report(min(count, (first + step) * comb(each, 2)))
    for name, parts in kept.items():
        np.save(job.folder / f"{name}.npy", torch.cat(parts).numpy(), allow_pickle=False)
    (job.folder / "made.json").write_text(json.dumps({"pairs": count, "completions": each}) + "\n")


def read(folder: Path, count: int, split: str) -> Completions:
    """The completions of a split; raises InputError unless the folder holds those for `count` pairs."""
    files = [folder / f"{name}.npy" for name in ARRAYS]
    for file in (*files, folder / "made.json"):
        if not file.is_file():
            raise InputError(f"{file}: no such file; run: dvc repro")
    made = json.loads((folder / "made.json").read_text())
    if made["pairs"] != count:
        raise InputError(f"{folder}: made for {made['pairs']} pairs, settings.pairs has {count}; compose again")
    tokens, prompt, end, rewards, likelihoods = (torch.from_numpy(np.load(file, allow_pickle=False)) for file in files)
    each: int = made["completions"]
    held = (torch.arange(len(rewards)) // each) % HELD_OUT == 0
    rows = (held if split == "valid" else ~held).nonzero().flatten()
    return Completions(Sequences(tokens, prompt, end).rows(rows), rewards[rows], likelihoods[rows], each)
