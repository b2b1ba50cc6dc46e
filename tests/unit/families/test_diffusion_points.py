"""Diffusion models of points whose law is known: the law, what is measured against it, and the way through a task."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from benchmarks.families.diffusion.evaluate import evaluate
from benchmarks.families.diffusion.measuring import energy_distance as measuring_distance
from benchmarks.families.diffusion.measuring import trained as measuring_trained
from benchmarks.families.diffusion.measuring.energy_distance import energy_distance
from benchmarks.families.diffusion.measuring.likelihood import above_entropy
from benchmarks.families.diffusion.measuring.points import (
    CELLS,
    REACH,
    SIGMAS,
    judged,
    pictures,
    score_errors,
)
from benchmarks.families.diffusion.measuring.sampling import Sampled, Sampling
from benchmarks.families.diffusion.measuring.trained import Subject
from benchmarks.families.diffusion.mixtures import mixture, points
from benchmarks.families.diffusion.problems import MixtureGeneration
from benchmarks.families.diffusion.tasks import TASKS
from benchmarks.families.diffusion.train import train
from benchmarks.files.errors import InputError
from benchmarks.record.records import EntryRecord, Picture, RunRecord, metric_of
from benchmarks.run.job import EvaluationJob, Trainer
from benchmarks.run.seeds import derive
from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion.parts.grids import uniform_time
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.paths import linear, linear_betas
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams, first_order, heun
from tests.exact.known_denoisers import GaussianDenoiser
from tests.unit.families.jobs import FLAGS, in_memory, training_job
from tests.unit.families.small_diffusion import (
    SMALL_METHOD as METHOD,
)
from tests.unit.families.small_diffusion import (
    Settings,
    Solved,
    build,
    euler,
    loss,
    named,
)

RING, GRID = (task for task in TASKS if isinstance(task, MixtureGeneration))
SMALL = replace(GRID, name="made_up", train=60, valid=15, test=12, evaluations=(2, 5))
ROUNDING = 1e-12  # float64, a few operations on values of about 1, and sums of a few thousand of them

every_task = pytest.mark.parametrize("task", [RING, GRID], ids=lambda task: task.name)


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    """Weights, wherever a job's are asked for; a task of points has no images and no extractor."""

    def weights() -> dict[str, Any]:
        state: dict[str, Any] = build(Settings(slope=0.5), SMALL.shape, torch.Generator()).state_dict()
        return state

    with in_memory(model=weights):
        yield


def given(
    trainer: Trainer | None = None, seed: int = 3, samples: int = 40, method: Any = METHOD, settings: Any = None
) -> EvaluationJob:
    return EvaluationJob(
        entry="it",
        method_name="it",
        method=method,
        settings=settings or Settings(),
        task=SMALL,
        seed=seed,
        arithmetic=FLAGS,
        samples=samples,
        trainer=trainer or Trainer(METHOD, Settings()),
    )


def trained(task: MixtureGeneration = SMALL, method: Any = METHOD, model: Any = None, settings: Any = None) -> Subject:
    own = build(Settings(slope=0.5), task.shape, torch.Generator()).eval().requires_grad_(False)
    return Subject(model or own, method, settings or Settings(), task, given())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def close(one: Tensor, other: Tensor | float, tolerance: float) -> None:
    torch.testing.assert_close(one, torch.as_tensor(other, dtype=one.dtype).expand_as(one), rtol=0.0, atol=tolerance)


# The law


@every_task
def test_coordinates_have_mean_0_and_variance_a_quarter(task: MixtureGeneration) -> None:
    law = mixture(task)
    assert len(law.weights) == task.components
    close(law.weights.sum(), 1.0, ROUNDING)
    close(law.weights @ law.means, 0.0, ROUNDING)
    close(law.factors, (task.deviation * torch.eye(2).double()).expand_as(law.factors), 0.0)
    close(law.weights @ law.means.square() + task.deviation**2, 0.25, ROUNDING)


def test_a_ring_is_even_and_round() -> None:
    law = mixture(RING)
    close(law.weights, 1 / 8, ROUNDING)
    close(law.means.square().sum(1), 2 * (0.25 - RING.deviation**2), ROUNDING)
    steps = (law.means - law.means.roll(1, 0)).square().sum(1)
    close(steps, steps[0], ROUNDING)


def test_a_grid_has_weights_1_to_9_on_lines_of_three() -> None:
    law = mixture(GRID)
    close(law.weights, torch.arange(1, 10).double() / 45, ROUNDING)
    across, up = (law.means[:, axis].reshape(3, 3) for axis in (0, 1))
    for lines in (across, up.T):  # weights rise upwards, then to the right
        close(lines - lines[:, :1], 0.0, ROUNDING)
        close(lines[:, 0].diff(n=2), 0.0, ROUNDING)
        assert (lines[:, 0].diff() > 0).all()


@pytest.mark.parametrize("deviation", [0.5, 0.0, -0.1, 0.7])
@every_task
def test_components_as_wide_as_the_whole_or_of_no_width_are_refused(task: MixtureGeneration, deviation: float) -> None:
    with pytest.raises(ValueError, match=rf"^task {task.name}: the components' deviation is above 0 and below 0\.5$"):
        mixture(replace(task, deviation=deviation))


@pytest.mark.parametrize(("task", "components"), [(GRID, 8), (RING, 2), (GRID, 1), (RING, 0)])
def test_grids_that_are_no_squares_and_too_few_components_are_refused(task: MixtureGeneration, components: int) -> None:
    told = f"^task {task.name}: a ring has 3 components or more, a grid a square number of them, not {components}$"
    with pytest.raises(ValueError, match=told):
        mixture(replace(task, components=components))


@every_task
def test_points_repeat_and_differ_between_splits_and_seeds(task: MixtureGeneration) -> None:
    splits = {split: points(task, split) for split in ("train", "valid", "test")}
    assert {split: x.shape for split, x in splits.items()} == {
        "train": (task.train, 2), "valid": (task.valid, 2), "test": (task.test, 2)
    }  # fmt: skip
    for split, x in splits.items():
        assert x.dtype == torch.float64
        assert torch.equal(x, points(task, split))
        assert not torch.isin(x, points(replace(task, seed=1), split)).any()
    even = replace(task, train=500, valid=500, test=500)  # numbers of draws alone would make splits differ
    whole = torch.cat([points(even, split) for split in splits])
    assert len(whole.unique(dim=0)) == 1500


@every_task
@pytest.mark.parametrize("split", ["train", "test"])
def test_points_have_the_moments_of_the_law(task: MixtureGeneration, split: str) -> None:
    x, law = points(task, split), mixture(task)
    count = len(x)
    # Standard errors: of a mean, by the known deviation; of others, by the sample's own.
    close(x.mean(0), 0.0, 5 * 0.5 / math.sqrt(count))
    squares = x.square()
    assert ((squares.mean(0) - 0.25).abs() < 5 * squares.std(0) / math.sqrt(count)).all()
    product = x[:, 0] * x[:, 1]
    expected = law.weights @ (law.means[:, 0] * law.means[:, 1])
    assert abs(float(product.mean() - expected)) < 5 * float(product.std()) / math.sqrt(count)
    # Components are so far apart that a point's is the nearest, but for one in a thousand of them at most.
    share = torch.bincount(torch.cdist(x, law.means).argmin(1), minlength=task.components) / count
    limit = 5 * (law.weights * (1 - law.weights) / count).sqrt() + 1e-3
    assert ((share - law.weights).abs() < limit).all()


def test_a_models_examples_are_the_points_of_its_task() -> None:
    model = trained()
    assert torch.equal(model.examples("test"), points(SMALL, "test"))
    assert torch.equal(model.examples("test", 5), points(SMALL, "test")[:5])


def test_points_are_of_the_plane_and_nothing_is_fetched() -> None:
    for task in (RING, GRID):
        assert (task.shape, task.dimensions, task.dataset) == ((2,), 2, None)
    assert len({task.name for task in TASKS}) == len(TASKS)


# The energy distance


def normal_law(mean: Sequence[float], deviation: float) -> GaussianMixture:
    one = torch.ones(1, dtype=torch.float64)
    return GaussianMixture(one, one.new_tensor([mean]), deviation * torch.eye(2, dtype=torch.float64)[None])


def rice(distance: float, deviation: float) -> float:
    """E|Y| of Y ~ N(m, deviation^2 I) in the plane, |m| = distance."""
    return float(stats.rice.mean(distance / deviation, scale=deviation))


def test_the_distance_to_a_round_gaussian_is_the_mean_of_rices_law() -> None:
    deviation, far = 0.3, np.array([0.0, 1e-12, 1e-6, 0.01, 0.3, 1.0, 3.0, 9.0])  # up to 30 deviations, scipy's range
    x = torch.from_numpy(far)[:, None] * torch.tensor([0.6, 0.8], dtype=torch.float64)
    found = measuring_distance._distances(x + 1.0, normal_law([1.0, 1.0], deviation), deviation)
    assert found.shape == (8, 1)
    expected = torch.tensor([rice(each, deviation) for each in far], dtype=torch.float64)
    # Squares of distances up to 9 and Bessel functions, each to a few roundings.
    close(found[:, 0], expected, 1e-10)
    close(found[0, 0], deviation * math.sqrt(math.pi / 2), ROUNDING)


def test_far_away_it_is_the_distance() -> None:
    """By the series r + s^2 / (2 r) + s^4 / (8 r^3) + 3 s^6 / (16 r^5) + ... of deviation s at r."""
    law, s = normal_law([0.0, 0.0], 0.1), 0.1
    for deviations in (50, 1e3, 1e6):
        r = deviations * s
        found = float(measuring_distance._distances(torch.tensor([[0.0, r]], dtype=torch.float64), law, s))
        series = r + s**2 / (2 * r) + s**4 / (8 * r**3)
        # What of the series is left, and rounding.
        assert abs(found - series) < s**6 / r**5 + ROUNDING * r


def test_it_is_that_of_each_component() -> None:
    law, x = mixture(GRID), points(GRID, "test")[:4]
    found = measuring_distance._distances(x, law, GRID.deviation)
    expected = [[rice(float((one - mean).norm()), GRID.deviation) for mean in law.means] for one in x]
    close(found, torch.tensor(expected, dtype=torch.float64), 1e-10)  # as above


@pytest.mark.parametrize("mean", [[0.0, 0.0], [0.3, -0.4], [3.0, 4.0]])
def test_between_two_gaussians_it_is_the_closed_form(mean: list[float]) -> None:
    """X - Y is N(m, 2 s^2 I), and X - X' and Y - Y' are N(0, 2 s^2 I)."""
    deviation, law = 0.5, normal_law([0.0, 0.0], 0.5)
    drawn = normal_law(mean, deviation).sample(200 * 50, generator()).split(50)
    found = np.array([energy_distance(x, law, deviation) for x in drawn])
    both = math.sqrt(2) * deviation
    expected = 2 * rice(math.hypot(*mean), both) - 2 * rice(0.0, both)
    # The standard error of a mean is that of 200 sets drawn one after the other.
    assert abs(found.mean() - expected) < 5 * found.std(ddof=1) / math.sqrt(len(found))


@every_task
def test_of_the_laws_own_points_it_has_no_bias(task: MixtureGeneration) -> None:
    """However few they are: with the n pairs of a point and itself counted, it would be 0.7 / n too large."""
    law, sets, count = mixture(task), 400, 5
    found = np.array([energy_distance(x, law, task.deviation) for x in law.sample(sets * count, generator(1)).split(5)])
    error = found.std(ddof=1) / math.sqrt(sets)  # of sets drawn one after the other
    assert abs(found.mean()) < 5 * error
    assert 5 * error < 0.7 / count  # so that a bias would be seen
    assert found.min() < 0


def test_it_is_the_same_by_direct_sums() -> None:
    x, law = points(GRID, "test")[:30], mixture(GRID)
    within = np.mean([float((x[i] - x[j]).norm()) for i in range(30) for j in range(30) if i != j])
    across = np.mean([[rice(float((one - mean).norm()), GRID.deviation) for mean in law.means] for one in x], axis=0)
    both = math.sqrt(2) * GRID.deviation
    own = np.array([[rice(float((one - other).norm()), both) for other in law.means] for one in law.means])
    weights = law.weights.numpy()
    expected = 2 * across @ weights - within - weights @ own @ weights
    assert energy_distance(x, law, GRID.deviation) == pytest.approx(expected, abs=1e-10)  # Rice's means, as above


@pytest.mark.parametrize("rows", [29, 64, 500])
def test_tables_are_made_a_part_at_a_time_with_the_same_outcome(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, law = points(GRID, "test")[:200], mixture(GRID)
    whole = energy_distance(x, law, GRID.deviation)
    monkeypatch.setattr(measuring_distance, "ROWS", rows)
    assert energy_distance(x, law, GRID.deviation) == pytest.approx(whole, abs=ROUNDING)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_points_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"^samples: found {count}; pairs need at least 2$"):
        energy_distance(points(RING, "test")[:count], mixture(RING), RING.deviation)


# The score


def test_the_true_denoiser_has_no_error() -> None:
    rows = score_errors(trained(model=MixtureDenoiser(mixture(SMALL))), SMALL)
    assert [row.variant["sigma"] for row in rows] == list(SIGMAS)
    # Squares of a rounding, over sigma 0.02.
    assert max(float(row.value) for row in rows) < 1e-20
    assert {(row.name, row.n, row.measurement["split"]) for row in rows} == {("score_error", 12, "test")}


def test_an_error_is_that_of_the_noise_that_a_denoiser_implies() -> None:
    true, c, seen = MixtureDenoiser(mixture(SMALL)), 0.3, list[Tensor]()

    def off(x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        seen.append(torch.stack([a, n]))
        return true(x, a, n) + c * (n / a) * x.new_tensor([1.0, -1.0])

    rows = score_errors(trained(model=off), SMALL)
    for row, pair in zip(rows, seen, strict=True):
        assert row.value == pytest.approx(c**2, abs=1e-9)  # roundings of D over sigma 0.02
        close(pair.square().sum(), 1.0, ROUNDING)  # pairs of a unit circle
        close(pair[1] / pair[0], float(row.variant["sigma"]), ROUNDING)


def test_an_error_in_one_coordinate_is_halved_and_in_a_share_of_points_that_share() -> None:
    """A mean over the dimensions and the points."""
    true = MixtureDenoiser(mixture(SMALL))

    def off(x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        away = torch.zeros_like(x)
        away[:3, 0] = float(n / a)
        return true(x, a, n) + away

    for row in score_errors(trained(model=off), SMALL):
        assert row.value == pytest.approx(3 / 12 / 2, abs=1e-9)  # as above


def test_the_score_is_taken_where_test_points_go_with_the_same_noise_at_every_level() -> None:
    seen = []

    def looking(x: Tensor, a: Tensor, n: Tensor) -> Tensor:
        seen.append((x - a * points(SMALL, "test")) / n)
        return x

    first, again = (score_errors(trained(model=looking), SMALL) for _ in range(2))
    assert first == again
    for noise in seen:
        close(noise, seen[0], 1e-11)  # of x, whose rounding is over n of 0.02


# What is above the entropy


def below(nats: float) -> Callable[..., Tensor]:
    """A log-likelihood that is the law's own but for so much."""
    return lambda model, settings, x, noise: mixture(SMALL).log_prob(x) - nats


@pytest.mark.parametrize("nats", [0.0, 0.3])
def test_nats_above_the_entropy_are_those_that_a_likelihood_lacks(nats: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring_trained, "BATCH", 5)
    method = replace(METHOD, log_likelihood=below(nats))
    (row,) = above_entropy(trained(method=method, settings=Solved()), SMALL)
    assert row.value == pytest.approx(nats, abs=ROUNDING)
    assert (row.name, row.unit, row.direction, row.n) == ("nats_above_entropy", "nats", "lower", 12)
    solver = str(row.measurement["solver"])
    assert (solver, row.variant["batch"]) == (
        "dopri5 at tolerance 0.001 from time 1e-05, batches of 1000; trace: exact", 1000
    )  # fmt: skip


@pytest.mark.parametrize("nats", [0.0, 0.3])
def test_a_bound_above_the_entropy_is_the_bound_less_the_entropy(nats: float) -> None:
    def variational_bound(model: Any, settings: Any, x: Tensor, noise: torch.Generator) -> Tensor:
        assert x.dtype == torch.float64
        return -below(nats)(model, settings, x, noise)

    method = replace(METHOD, variational_bound=variational_bound)
    (row,) = above_entropy(trained(method=method), SMALL)
    assert (row.name, row.n, row.variant) == ("bound_above_entropy", 12, {})
    assert row.value == pytest.approx(nats, abs=ROUNDING)


def test_a_method_with_neither_has_no_such_rows_and_one_with_both_has_two() -> None:
    assert above_entropy(trained(), SMALL) == []
    both = replace(METHOD, log_likelihood=below(0.1), variational_bound=below(0.0))
    rows = above_entropy(trained(method=both, settings=Solved()), SMALL)
    assert [row.name for row in rows] == ["nats_above_entropy", "bound_above_entropy"]


# Training


def learned(
    method: Any = METHOD,
    steps: int = 20,
    task: MixtureGeneration = RING,
    seed: int = 0,
    settings: Settings | None = None,
) -> tuple[Any, Any]:
    return train(training_job(method, settings or Settings(), task, steps, seed=seed))


def test_training_lowers_the_loss_and_repeats() -> None:
    (model, fitted), (again, _), (other, _) = learned(), learned(), learned(seed=1)
    assert fitted.status == "done"
    valid = [row["valid"] for row in fitted.curve]
    assert valid[-1] < valid[0]
    assert torch.equal(model.network.network.slope, again.network.network.slope)
    assert not torch.equal(model.network.network.slope, other.network.network.slope)


def test_training_shows_points_of_the_task() -> None:
    seen: dict[bool, list[Tensor]] = {True: [], False: []}

    def looking(model: Denoiser, settings: Settings, x: Tensor, noise: torch.Generator) -> Tensor:
        seen[torch.is_grad_enabled()].append(x)
        return loss(model, settings, x, noise)

    learned(replace(METHOD, loss=looking), 5, SMALL)
    for grad, split in ((True, "train"), (False, "valid")):
        shown, known = torch.cat(seen[grad]), points(SMALL, split).float()
        assert {(x.dtype, x.shape[1:]) for x in seen[grad]} == {(torch.float32, (2,))}
        assert (shown[:, None] == known).all(2).any(1).all()
        assert len(shown.unique(dim=0)) == len(known)  # 5 batches of 20 go through 60 points
    assert {len(x) for x in seen[True]} == {20}


# The whole


def test_every_sampler_is_judged_at_every_number_of_evaluations() -> None:
    found = judged(trained(), SMALL)
    told = {
        name: [row.variant["nfe"] for row in named(found.rows, "energy_distance", sampler=name)]
        for name in ("euler", "corrected")
    }
    assert told == {"euler": [2, 5], "corrected": [1, 5]}  # 2 evaluations are not enough for 2 of Heun's steps
    (row,) = named(found.rows, "energy_distance", sampler="adaptive")
    assert row.variant == {"sampler": "adaptive", "batch": measuring_trained.BATCH}
    (count,) = named(found.rows, "evaluations")
    assert (count.value, count.variant) == (4.0, row.variant)
    assert len({str(row.measurement) for row in named(found.rows, "energy_distance")}) == 1  # one protocol
    assert set(found.seconds) == {f"sampling by {name}" for name in ("euler", "corrected", "adaptive")}
    for each in found.sampled:
        assert (each.examples.shape, each.examples.dtype) == ((40, 2), np.float64)
        x = torch.from_numpy(each.examples)
        assert each.distance == energy_distance(x, mixture(SMALL), SMALL.deviation)


@pytest.mark.parametrize("task", [SMALL, replace(RING, evaluations=(2, 5))], ids=["grid", "ring"])
def test_each_sampler_is_judged_by_the_true_score_too(task: MixtureGeneration) -> None:
    law, samplers = mixture(task), {"euler": first_order, "corrected": heun}
    streams = Streams([derive(3, f"sample {place}") for place in range(40)])
    noise, rows = streams.draw((2,)), judged(trained(task), task).rows
    for name, nfe, steps in (("euler", 2, 2), ("euler", 5, 5), ("corrected", 1, 1), ("corrected", 5, 3)):
        (row,) = named(rows, "energy_distance_true_score", sampler=name, nfe=nfe)
        x = samplers[name](MixtureDenoiser(law), noise, uniform_time(linear(), steps))
        # Rounding of the pairs' scale, over the smallest n of a grid and widths of 0.07.
        assert row.value == pytest.approx(energy_distance(x, law, task.deviation), abs=1e-10)
    own = [row.variant for row in named(rows, "energy_distance")]
    assert [row.variant for row in named(rows, "energy_distance_true_score")] == own


def test_by_the_true_score_and_many_steps_points_are_as_if_drawn_from_the_law() -> None:
    task = replace(SMALL, evaluations=(59,))
    (row,) = named(judged(trained(task), task).rows, "energy_distance_true_score", sampler="corrected")
    law = mixture(task)
    sets = np.array([energy_distance(x, law, task.deviation) for x in law.sample(200 * 40, generator(2)).split(40)])
    assert abs(float(row.value)) < 5 * sets.std(ddof=1)  # of as many of the law's own points, set by set
    # By a model whose flow stands still, points stay standard normal, twice as wide as the law's.
    still = build(Settings(slope=0.0), task.shape, generator()).eval().requires_grad_(False)
    (row,) = named(judged(trained(task, model=still), task).rows, "energy_distance", sampler="corrected")
    assert float(row.value) > 5 * sets.std(ddof=1)


def test_an_evaluation_makes_a_record_and_repeats() -> None:
    found, again = (evaluate(given()) for _ in range(2))
    assert found.rows == again.rows
    assert Counter(row.name for row in found.rows) == {
        "parameters": 1, "energy_distance": 5, "energy_distance_true_score": 5, "evaluations": 1, "score_error": 8
    }  # fmt: skip
    metrics = [metric_of(row) for row in found.rows]
    assert all(math.isfinite(float(row.value)) for row in metrics)
    record = EntryRecord(
        profile="cpu",
        entry="it",
        method="it",
        family="diffusion",
        task="made_up",
        tier="short",
        source="0",
        settings_hash="0",
        runs=[RunRecord(seed=3, status="done", metrics=metrics)],
        pictures=[Picture.of(picture) for picture in found.pictures],
        drawings=found.drawings,
    )
    assert [drawing.name for drawing in record.drawings] == ["energy_distance", "score_error"]
    distance, error = found.drawings
    assert [(line.label, line.theory) for line in distance.lines] == [
        (name + of, of != "") for name in ("euler", "corrected", "adaptive") for of in ("", ", true score")
    ]
    assert distance.lines[2].x == distance.lines[3].x == [1.0, 5.0]
    assert error.lines[0].x == list(SIGMAS)
    different = evaluate(given(seed=4))
    assert named(different.rows, "energy_distance") != named(found.rows, "energy_distance")
    assert named(different.rows, "score_error") == named(found.rows, "score_error")  # of the weights, not of samples


def test_a_method_samples_the_model_of_another() -> None:
    @dataclass(frozen=True)
    class Borrowing:
        slope: float = 0.0

    borrowing: Any = DiffusionMethod(settings=Settings, samplers=(euler,))
    found = evaluate(given(method=borrowing, settings=Borrowing()))
    own = evaluate(given())
    assert named(found.rows, "energy_distance") == named(own.rows, "energy_distance", sampler="euler")


@dataclass(frozen=True)
class Grey(Settings):
    """Of a method that may know levels of the data."""

    grey_levels: int | None = 256


def test_grey_levels_are_refused_and_none_are_not() -> None:
    told = r"^settings\.grey_levels: found 256; the points of task made_up have none, so null$"
    with pytest.raises(InputError, match=told):
        evaluate(given(Trainer(METHOD, Grey()), settings=Grey()))
    with pytest.raises(ValueError, match=r"settings\.grey_levels: found 256; points have none, so null"):
        learned(settings=Grey())
    without = Grey(grey_levels=None)
    assert evaluate(given(Trainer(METHOD, without), settings=without)).rows


def test_of_an_evaluation_the_picture_is_two_squares() -> None:
    (picture,) = evaluate(given()).pictures
    assert (picture.array.dtype, picture.array.shape, picture.columns) == (np.uint8, (2, 64, 64), 2)
    assert picture.array[0].max() == 255


def test_the_picture_has_points_where_they_are_and_shows_the_best() -> None:
    def at(x: float, y: float, distance: float, count: int = 40) -> Sampled:
        return Sampled(f"at {distance}", np.tile([[x, y]], (count, 1)), 3.0, distance, (3.0, 0.0))

    def cell(x: float, y: float) -> tuple[int, int]:
        """Row from the top and column."""
        across, up = (math.floor((value + REACH) / (2 * REACH) * CELLS) for value in (x, y))
        return CELLS - 1 - up, across

    (picture,) = pictures(GRID, Sampling([], [at(0, 0, 0.2), at(0.5, -1.0, 0.1), at(1, 1, 0.3)], {}))
    assert "at 0.1 with 3 evaluations" in picture.title
    density, histogram = picture.array.astype(int)
    lit: NDArray[np.int_] = np.argwhere(histogram)
    assert [tuple(place) for place in lit] == [cell(0.5, -1.0)]
    law = mixture(GRID)
    heaviest = law.means[law.weights.argmax()].tolist()
    brightest = np.unravel_index(density.argmax(), density.shape)
    assert max(abs(int(one) - other) for one, other in zip(brightest, cell(*heaviest), strict=True)) <= 1


# What the page of both tasks says without a run


def test_the_page_has_the_numbers_of_the_round_gaussian() -> None:
    """docs/ring_and_grid.md: two digits of the score's error at the test points, of the distance in closed form."""
    told = {"ring": ([0.07, 0.32, 0.50, 0.31, 0.03], 0.024), "grid": ([0.04, 0.17, 0.34, 0.20, 0.03], 0.014)}
    whole = GaussianDenoiser(torch.zeros(2, dtype=torch.float64), 0.5 * torch.eye(2, dtype=torch.float64))
    for task in (RING, GRID):
        errors, far = told[task.name]
        rows = score_errors(trained(task, model=whole), task)
        assert [round(row.value, 2) for row in rows] == pytest.approx([*errors, 0.0, 0.0, 0.0], abs=1e-9)
        law, means = mixture(task), torch.zeros(1, 2, dtype=torch.float64)
        both, alone = math.hypot(0.5, task.deviation), math.sqrt(2)
        across = float(law.weights @ stats_distances(law.means, means, both))
        own = float(law.weights @ stats_distances(law.means, law.means, alone * task.deviation) @ law.weights)
        assert round(2 * across - float(stats_distances(means, means, alone * 0.5)) - own, 3) == far


def stats_distances(x: Tensor, y: Tensor, deviation: float) -> Tensor:
    """Rice's means by scipy, (n, m)."""
    return torch.from_numpy(stats.rice.mean(torch.cdist(x, y).numpy() / deviation, scale=deviation)).squeeze(1)


def test_the_page_has_the_scatter_of_the_laws_own_points_and_the_levels_of_ddpm() -> None:
    for task in (RING, GRID):
        law = mixture(task)
        drawn = [energy_distance(law.sample(2000, generator(seed)), law, task.deviation) for seed in range(20)]
        assert 1e-4 < float(np.std(drawn)) < 4e-4  # 20 draws tell a deviation to a third
    kept = torch.cumprod(1 - linear_betas(), 0)
    assert int((((1 - kept) / kept).sqrt() < 0.1).sum()) == 27
