"""Each problem of the flows, learned for a few steps and measured, on made-up data."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.families.flows import tasks
from benchmarks.families.flows.evaluate import evaluate
from benchmarks.families.flows.learning import objective, untrained
from benchmarks.families.flows.problems import BinaryAutoencoding, Energy, ImageDensity, MixtureDensity, Task
from benchmarks.families.flows.train import train
from benchmarks.record.evaluated import Evaluated
from benchmarks.record.measurement import Measurement
from benchmarks.run.job import EvaluationJob, Trainer
from implementations.flows.cnf import METHOD as cnf
from implementations.flows.glow import METHOD as glow
from implementations.flows.mixture_of_factor_analysers import METHOD as mixture_of_factor_analysers
from implementations.flows.nice import METHOD as nice
from implementations.flows.planar import METHOD as planar
from implementations.flows.realnvp import METHOD as realnvp
from tests.unit.families.jobs import FLAGS, in_memory, training_job

IMAGES = ImageDensity("made_up", "made_up", (4, 4), 17)
COLOUR = ImageDensity("made_up", "made_up", (3, 4, 4), 256)
MIXTURE = MixtureDensity("mixture", dimensions=3, components=2, seed=0, train=200, valid=50, test=100)
ENERGY = Energy("energy_2", 2)
BINARY = BinaryAutoencoding("binary", "made_up", (4, 4), threshold=8, latent=3, hidden_units=8)
NICE = nice.settings(hidden_units=8, hidden_layers=1, batch=20)
PLANAR = planar.settings(flow_length=2, batch=20)
CASES: dict[str, tuple[Any, Any, Task]] = {
    "images": (nice, NICE, IMAGES),
    "colour images": (nice, NICE, COLOUR),
    "images, several scales": (
        realnvp,
        realnvp.settings(levels=2, residual_blocks=1, feature_maps=4, batch_norm=False, batch=20),
        IMAGES,
    ),
    "images, data-dependent": (glow, glow.settings(levels=1, depth=2, width=4, initial_examples=30, batch=20), IMAGES),
    "images, no flow": (
        mixture_of_factor_analysers,
        mixture_of_factor_analysers.settings(components=3, factors=2, initial_examples=30, batch=20),
        IMAGES,
    ),
    "mixture": (nice, NICE, MIXTURE),
    "mixture, continuous": (cnf, cnf.settings(hidden_units=8, hidden_layers=1, network="mlp", batch=20), MIXTURE),
    "energy": (nice, NICE, ENERGY),
    "energy, planar": (planar, PLANAR, ENERGY),
    "autoencoder": (planar, PLANAR, BINARY),
}


def images(task: Task) -> Callable[[str], np.ndarray]:
    random = np.random.default_rng(0)
    shape, levels = getattr(task, "shape", ()), getattr(task, "levels", 17)
    counts = {"train": 60, "valid": 20, "test": 12}
    # Dark images, so that there is something to learn; a threshold of 8 leaves both values.
    made = {split: random.integers(0, max(levels // 4, 10), (n, *shape), dtype=np.uint8) for split, n in counts.items()}
    return made.__getitem__


def measured(method: Any, settings: Any, task: Task, steps: int = 4) -> Evaluated:
    data = images(task)
    with in_memory(images=data):
        model, fitted = train(training_job(method, settings, task, steps, 2))
    assert fitted.status == "done"
    with in_memory(images=data, features=lambda: {"independent_pixels_bits_per_dim": 4.0}, model=model.state_dict):
        return evaluate(evaluation_job(method, settings, task, fitted.curve))


def evaluation_job(method: Any, settings: Any, task: Task, curve: Any = ()) -> EvaluationJob:
    return EvaluationJob(
        entry="it",
        method_name="it",
        method=method,
        settings=settings,
        task=task,
        seed=0,
        arithmetic=FLAGS,
        samples=5,
        trainer=Trainer(method, settings),
        curve=curve,
    )


@pytest.fixture(scope="module", params=CASES)
def found(request) -> tuple[Task, Evaluated]:
    method, settings, task = CASES[request.param]
    return task, measured(method, settings, task)


def values(evaluated: Evaluated) -> dict[str, float]:
    return {row.name: row.value for row in evaluated.rows}


HEADLINE = {ImageDensity: "bits_per_dim", MixtureDensity: "nats_above_entropy", Energy: "reverse_kl",
            BinaryAutoencoding: "negative_elbo"}  # fmt: skip


def test_numbers_are_finite_and_their_protocols_valid(found):
    task, evaluated = found
    assert HEADLINE[type(task)] in values(evaluated)
    for row in evaluated.rows:
        assert math.isfinite(row.value), row.name
        Measurement.model_validate(row.measurement)


def test_one_name_and_variant_has_one_row(found):
    rows = [(row.name, tuple(row.variant.items())) for row in found[1].rows]
    assert len(rows) == len(set(rows))


def test_pictures_hold_what_they_say(found):
    task, evaluated = found
    names = [picture.name for picture in evaluated.pictures]
    assert len(names) == len(set(names))
    assert names
    for picture in evaluated.pictures:
        assert picture.array.dtype == np.uint8
        assert picture.array.max() <= picture.top
        if picture.name == "samples":
            assert picture.array.shape == (5, *task.shape)
        if picture.name == "interpolation":
            assert len(picture.array) % picture.columns == 0


def test_ends_of_an_interpolation_are_the_test_images():
    task, evaluated = IMAGES, measured(nice, NICE, IMAGES)
    (strips,) = (picture for picture in evaluated.pictures if picture.name == "interpolation")
    test = images(task)("test")
    half = len(strips.array) // strips.columns
    assert np.array_equal(strips.array[:: strips.columns], test[:half])
    assert np.array_equal(strips.array[strips.columns - 1 :: strips.columns], test[half : 2 * half])


def test_bits_and_nats_are_one_number():
    found = values(measured(nice, NICE, IMAGES))
    bits = math.log2(17) - found["log_likelihood"] / (16 * math.log(2))
    assert found["bits_per_dim"] == pytest.approx(bits, abs=1e-12)
    assert found["bits_below_independent_pixels"] == pytest.approx(4.0 - bits, abs=1e-12)


def test_exactness_rows_are_of_flows_alone():
    flow, density = values(measured(*CASES["images"])), values(measured(*CASES["images, no flow"]))
    assert {"round_trip_error", "log_determinant_error"} <= set(flow)
    assert {"round_trip_error", "log_determinant_error"} & set(density) == set()
    assert flow["round_trip_error"] < 1e-12  # float64 through four small couplings
    assert flow["log_determinant_error"] < 1e-10


def test_the_whole_test_split_is_measured_and_training_images_up_to_a_limit(monkeypatch):
    from benchmarks.families.flows.measuring import images as measuring

    monkeypatch.setattr(measuring, "MOST_TRAINING_IMAGES", 5)
    rows = {row.name: row for row in measured(nice, NICE, IMAGES).rows}
    assert (rows["bits_per_dim"].n, rows["bits_per_dim"].measurement["samples"]) == (12, 12)
    assert (rows["train_bits_per_dim"].n, rows["train_bits_per_dim"].measurement["samples"]) == (5, 5)


def test_draws_of_a_posterior_are_part_of_the_protocol():
    rows = {row.name: row for row in measured(*CASES["autoencoder"]).rows}
    assert rows["negative_elbo"].measurement["draws"] == 20
    assert rows["importance_weighted_bound"].measurement["draws"] == 500


def test_an_estimated_log_determinant_is_not_held_against_the_exact_one():
    settings = cnf.settings(hidden_units=8, hidden_layers=1, batch=20, exact_trace_dimensions=2)
    found = values(measured(cnf, settings, MIXTURE))
    assert "round_trip_error" in found
    assert "log_determinant_error" not in found


def test_a_continuous_flow_names_its_solver_and_counts_evaluations_along_training():
    evaluated = measured(*CASES["mixture, continuous"])
    counted = [row for row in evaluated.rows if row.name == "evaluations"]
    assert [row.variant["step"] for row in counted] == [2, 4]
    assert all(row.value >= 1 for row in counted)
    assert all({"solver", "batch"} <= set(row.variant) for row in evaluated.rows)


def test_a_perfect_model_is_zero_nats_above_the_entropy(monkeypatch):
    from benchmarks.families.flows.measuring import mixture as measuring
    from benchmarks.families.flows.measuring.trained import Subject
    from benchmarks.families.flows.mixtures import mixture

    class Truth(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.truth = mixture(MIXTURE)

        def log_prob(self, x: torch.Tensor) -> torch.Tensor:
            return self.truth.log_prob(x)

        def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
            return self.truth.sample(count, generator)

    job = evaluation_job(None, None, MIXTURE)
    assert values(measuring.measure(MIXTURE, Subject(Truth(), {}, job)))["nats_above_entropy"] == 0.0


def test_training_lowers_the_loss_of_every_problem():
    for name, (method, settings, task) in CASES.items():
        faster = replace(settings, learning_rate=1e-2)
        with in_memory(images=images(task)):
            before = objective(training_job(method, settings, task)).validate()
            _, fitted = train(training_job(method, faster, task, 20, 10))
        assert min(row["valid"] for row in fitted.curve) < before, name


def test_a_method_without_a_posterior_cannot_autoencode():
    with pytest.raises(ValueError, match="offers no posterior"):
        untrained(nice, NICE, BINARY, 0)


def test_names_of_tasks_are_unique():
    names = [task.name for task in tasks.TASKS]
    assert len(names) == len(set(names))
