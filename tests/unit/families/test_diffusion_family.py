"""The family of diffusion models, on made-up images and methods whose answers are known."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.data.parts import dataset
from benchmarks.families.diffusion.evaluate import evaluate
from benchmarks.families.diffusion.measuring import likelihood as measuring_likelihood
from benchmarks.families.diffusion.measuring import samples as measuring_samples
from benchmarks.families.diffusion.measuring import trained as measuring_trained
from benchmarks.families.diffusion.measuring.likelihood import likelihood
from benchmarks.families.diffusion.measuring.reconstruction import reconstruction
from benchmarks.families.diffusion.measuring.samples import drawings, judged, pictures
from benchmarks.families.diffusion.measuring.sampling import Sampling
from benchmarks.families.diffusion.measuring.trained import Subject, cost_of, drawn
from benchmarks.families.diffusion.problems import ImageGeneration
from benchmarks.families.diffusion.scale import data
from benchmarks.families.diffusion.tasks import TASKS
from benchmarks.families.diffusion.train import VALIDATION_EXAMPLES, train
from benchmarks.files.errors import InputError
from benchmarks.metrics.extractors import kept
from benchmarks.metrics.extractors.small_classifier import ClassifierSettings, SmallClassifier
from benchmarks.metrics.extractors.small_classifier import extractor as extractor_of
from benchmarks.metrics.fidelity import from_features, quantise, reference, scaled
from benchmarks.record.evaluated import Measured
from benchmarks.record.records import EntryRecord, Picture, RunRecord, metric_of
from benchmarks.run.job import EvaluationJob, Trainer
from benchmarks.stages import extractors
from implementations.diffusion.parts.backbones import starting_noise
from implementations.diffusion.parts.grids import falling_times
from implementations.diffusion.parts.parameterisations import Denoiser
from implementations.diffusion.parts.protocol import DiffusionMethod
from implementations.diffusion.parts.samplers import Streams
from tests.unit.families.jobs import FLAGS, in_memory, training_job
from tests.unit.families.small_diffusion import (
    SMALL_METHOD,
    Settings,
    Solved,
    adaptive,
    build,
    corrected,
    euler,
    loss,
    named,
)

SHAPE, LEVELS = (4, 4), 17
TASK = ImageGeneration("made_up", "made_up", SHAPE, LEVELS, "made_up", (2, 5), likelihood_images=6)
CLASSIFIER = ClassifierSettings(levels=LEVELS, shape=SHAPE, features=5, epochs=1)

# The small method, with noise on the way as well


def noisy(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
    x = starting_noise(model, streams)
    for t, end in zip(falling_times(steps)[:-1], falling_times(steps)[1:], strict=True):
        x = model(x, 1 - t, t) + end * streams(x)
    return x


METHOD: Any = replace(SMALL_METHOD, samplers=(euler, corrected, noisy, adaptive))


def images(task: ImageGeneration = TASK, train_images: int = 60) -> Callable[[str], NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    counts = {"train": train_images, "valid": 15, "test": 12}
    made = {split: random.integers(0, task.levels, (n, *task.shape), dtype=np.uint8) for split, n in counts.items()}
    return made.__getitem__


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An extractor with its first weights."""
    kept.keep(SmallClassifier(CLASSIFIER, torch.Generator().manual_seed(0)).requires_grad_(False), tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def files() -> Iterator[None]:
    """Images and weights, wherever a job's are asked for."""

    def weights() -> dict[str, Any]:
        state: dict[str, Any] = build(Settings(slope=-0.5), SHAPE, torch.Generator()).state_dict()
        return state

    with in_memory(images=images(), model=weights):
        yield


def given(
    folder: Path,
    samples: int = 40,
    seed: int = 3,
    trainer: Trainer | None = None,
    method: Any = METHOD,
    settings: Any = None,
    task: Any = TASK,
) -> EvaluationJob:
    return EvaluationJob(
        entry="it",
        method_name="it",
        method=method,
        settings=settings or Settings(),
        task=task,
        seed=seed,
        arithmetic=FLAGS,
        files={"extractor": folder},
        samples=samples,
        trainer=trainer or Trainer(METHOD, Settings()),
    )


def trained(folder: Path, task: ImageGeneration = TASK, method: Any = METHOD, samples: int = 40) -> Subject:
    model = build(Settings(slope=-0.5), SHAPE, torch.Generator()).eval().requires_grad_(False)
    return Subject(model, method, Settings(), task, given(folder, samples))


def judging(model: Subject) -> Sampling:
    """On the model's own task, as `evaluate` has it."""
    assert isinstance(model.task, ImageGeneration)
    return judged(model, model.task)


def bits(model: Subject) -> list[Measured]:
    """The likelihood on the model's own task."""
    assert isinstance(model.task, ImageGeneration)
    return likelihood(model, model.task)


# The scale


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_levels_are_those_of_the_metrics_and_come_back(levels: int, dtype: torch.dtype) -> None:
    task = replace(TASK, levels=levels)
    all_levels = np.arange(levels, dtype=np.uint8)
    x = data(torch.from_numpy(all_levels), task, torch.Generator(), dtype)
    assert x.dtype == dtype
    # A rounding or two of numbers up to 255.
    np.testing.assert_allclose(x.numpy(), scaled(all_levels, levels), atol=4 * torch.finfo(dtype).eps)
    assert (quantise(x.numpy(), levels) == all_levels).all()


def test_dequantised_levels_fill_their_bins_and_come_back() -> None:
    task, generator = replace(TASK, dequantised=True), torch.Generator().manual_seed(0)
    levels = torch.arange(LEVELS, dtype=torch.uint8).repeat_interleave(2000)
    x = data(levels, task, generator, torch.float64)
    assert (quantise(x.numpy(), LEVELS) == levels.numpy()).all()
    inside = (x - data(levels, TASK, generator, torch.float64)) / task.bin_width
    assert -0.5 <= float(inside.min()) < -0.4999
    assert 0.4999 < float(inside.max()) <= 0.5
    assert abs(float(inside.mean())) < 4 / math.sqrt(12 * len(levels))  # standard errors of a uniform mean


def test_nothing_is_drawn_where_levels_stay_levels() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    data(torch.zeros(3, dtype=torch.uint8), TASK, generator, torch.float32)
    assert torch.equal(generator.get_state(), before)


# Training


def learned(method: Any = METHOD, steps: int = 20, task: ImageGeneration = TASK, seed: int = 0) -> tuple[Any, Any]:
    return train(training_job(method, Settings(), task, steps, seed=seed))


def test_training_lowers_the_methods_own_loss_and_repeats() -> None:
    (model, fitted), (again, _), (other, _) = learned(), learned(), learned(seed=1)
    assert fitted.status == "done"
    valid = [row["valid"] for row in fitted.curve]
    assert valid[-1] < valid[0]
    assert torch.equal(model.network.network.slope, again.network.network.slope)
    assert not torch.equal(model.network.network.slope, other.network.network.slope)


def test_validation_goes_through_a_small_split_often_with_the_same_noise() -> None:
    shown: list[int] = []

    def constant(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
        if not torch.is_grad_enabled():
            shown.append(len(x))
            return x.new_tensor(len(x) + float(torch.rand((), generator=generator)))
        return 0.0 * sum(parameter.sum() for parameter in model.parameters())

    _, fitted = learned(replace(METHOD, loss=constant), steps=10)
    one, two = (row["valid"] for row in fitted.curve)
    assert one == two
    assert VALIDATION_EXAMPLES <= sum(shown) / 2 < VALIDATION_EXAMPLES + 15
    assert 15 < one < 16  # a mean over examples: every batch is the whole split of 15


@pytest.mark.parametrize("dequantised", [False, True])
def test_training_shows_what_the_task_says(dequantised: bool) -> None:
    seen: list[Tensor] = []

    def looking(model: Denoiser, settings: Settings, x: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(x)
        return loss(model, settings, x, generator)

    learned(replace(METHOD, loss=looking), 2, replace(TASK, dequantised=dequantised))
    x = seen[0]
    assert (x.dtype, x.shape) == (torch.float32, (20, *SHAPE))
    levels = (x.double() + 1) / TASK.bin_width
    off = float((levels - levels.round()).abs().max())
    assert off > 0.4 if dequantised else off < 1e-5  # float32 of levels up to 16


# Drawing samples


def test_evaluations_are_counted_and_steps_follow_from_them(folder: Path) -> None:
    model = trained(folder)
    assert [drawn(model, euler, steps, 3).evaluations for steps in (1, 4)] == [1, 4]
    assert [drawn(model, corrected, steps, 3).evaluations for steps in (1, 4)] == [1, 7]
    assert [cost_of(model, corrected).steps(evaluations) for evaluations in (1, 2, 5, 35)] == [1, 1, 3, 18]
    assert [cost_of(model, euler).steps(evaluations) for evaluations in (1, 35)] == [1, 35]
    assert [cost_of(model, sampler).adaptive for sampler in METHOD.samplers] == [False, False, False, True]


@pytest.mark.parametrize("sampler", [euler, noisy])
def test_an_image_is_the_same_in_any_batch(folder: Path, sampler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(trained(folder), sampler, 3, 11)
    monkeypatch.setattr(measuring_trained, "BATCH", 4)
    parts = drawn(trained(folder), sampler, 3, 11)
    assert (whole.examples == parts.examples).all()
    assert parts.evaluations == whole.evaluations == 3
    assert len({image.tobytes() for image in whole.examples}) == 11


@pytest.mark.parametrize("sampler", [euler, noisy])
def test_pools_begin_with_noises_of_their_own(folder: Path, sampler: Any) -> None:
    model = trained(folder)
    first, other, again = (drawn(model, sampler, 3, 11, pool).examples for pool in (0, 1, 1))
    assert (first == drawn(model, sampler, 3, 11).examples).all()
    assert (other == again).all()
    assert len({image.tobytes() for image in [*first, *other]}) == 22


def test_evaluations_of_unequal_batches_are_means_over_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_batch(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
        return euler(model, settings, len(streams.generators), streams)

    monkeypatch.setattr(measuring_trained, "BATCH", 4)
    assert drawn(trained(folder), by_batch, 1, 6).evaluations == pytest.approx((4 * 4 + 2 * 2) / 6, abs=1e-6)


def test_samples_that_are_not_finite_are_told(folder: Path) -> None:
    def broken(model: Denoiser, settings: Settings, steps: int, streams: Streams) -> Tensor:
        return starting_noise(model, streams) * math.nan

    with pytest.raises(FloatingPointError, match="samples of broken with 3 steps are not finite"):
        drawn(trained(folder), broken, 3, 2)


# What is told of them


def test_every_sampler_is_judged_at_every_number_of_evaluations(folder: Path) -> None:
    found = judging(trained(folder))
    names = {"fid", "kid", "inception_score", "precision", "recall"}
    for sampler in ("euler", "corrected", "noisy"):
        for name in names:
            wanted = [1, 5] if sampler == "corrected" else [2, 5]  # 2 evaluations are not enough for 2 of its steps
            assert [row.variant["nfe"] for row in named(found.rows, name, sampler=sampler)] == wanted
    (row,) = named(found.rows, "fid", sampler="adaptive")
    assert row.variant == {"sampler": "adaptive", "batch": measuring_trained.BATCH}
    (count,) = named(found.rows, "evaluations")
    assert (count.value, count.variant) == (4.0, row.variant)
    # One protocol, or nothing could be compared.
    assert len({str(row.measurement) for row in found.rows if row.name == "fid"}) == 1
    assert set(found.seconds) == {f"sampling by {name}" for name in ("euler", "corrected", "noisy", "adaptive")}


def test_the_same_samples_have_the_same_numbers(folder: Path) -> None:
    """`adaptive` takes 4 of Euler's steps."""
    found = judging(trained(folder, replace(TASK, evaluations=(4,))))
    for name in ("fid", "kid", "inception_score", "precision", "recall", "copies"):
        (one,), (other,) = (named(found.rows, name, sampler=sampler) for sampler in ("euler", "adaptive"))
        assert one.value == other.value
    for against in ("training set", "test set"):
        (one,), (other,) = (
            named(found.rows, "fid_by_reference", sampler=sampler, against=against) for sampler in ("euler", "adaptive")
        )
        assert one.value == other.value


def test_rows_of_the_last_samples(folder: Path) -> None:
    found = judging(trained(folder, samples=80))
    for name in ("nearest_distance_ratio", "copies"):
        assert [row.variant.get("nfe") for row in named(found.rows, name)] == [5, 5, 5, None]
    (fid,) = named(found.rows, "fid", sampler="euler", nfe=5)
    training, test = named(found.rows, "fid_by_reference", sampler="euler")
    assert [row.variant["against"] for row in (training, test)] == ["training set", "test set"]
    assert (training.value, training.measurement) == (fid.value, fid.measurement)
    assert test.measurement == {**fid.measurement, "reference": "made_up test", "split": "test"}
    assert test.value != fid.value
    at_counts = named(found.rows, "fid_at_count")
    assert [row.variant for row in at_counts] == [
        {"sampler": "euler", "nfe": 5, "images": images} for images in (20, 40, 80)
    ]
    assert all("images" not in row.variant for row in named(found.rows, "fid"))
    assert len(named(found.rows, "fid_infinity")) == 1


def test_fid_at_counts_is_a_mean_over_pools_with_its_interval(folder: Path) -> None:
    model, extractor = trained(folder, samples=80), kept.read(folder)
    compared = reference(images()("train"), TASK.reference_name, "train", extractor)
    pools = [drawn(model, euler, 5, 80, pool).examples for pool in range(measuring_samples.POOLS)]
    each = [row.value for pool in pools for row in from_features(extractor(pool), compared, 0) if row.name == "fid"]
    at_counts = named(found := judging(model).rows, "fid_at_count")
    (infinity,), (fid,) = named(found, "fid_infinity"), named(found, "fid", sampler="euler", nfe=5)
    assert [row.measurement["draws"] for row in [*at_counts, infinity]] == [4] * 4
    for row in [*at_counts, infinity]:
        assert row.interval is not None
        assert row.interval[0] < row.value < row.interval[1]
    # All samples of a pool, in another order: rounding of the square root of a matrix.
    assert at_counts[-1].value == pytest.approx(np.mean(each), rel=1e-9)
    assert fid.value == pytest.approx(each[0], rel=1e-9)  # of the first pool alone, and without an interval
    assert (fid.interval, fid.measurement.get("draws")) == (None, None)


def test_pools_that_cost_too_much_are_not_drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring_samples, "MOST_POOLED", 80 * 5)  # as many evaluations as there are
    (whole,) = named(judging(trained(folder, samples=80)).rows, "fid_at_count", images=80)
    assert whole.measurement["draws"] == 4
    monkeypatch.setattr(measuring_samples, "MOST_POOLED", 80 * 5 - 1)
    found = judging(trained(folder, samples=80)).rows
    at_counts = [*named(found, "fid_at_count"), *named(found, "fid_infinity")]
    assert [(row.measurement["draws"], row.interval) for row in at_counts] == [(1, None)] * 4
    (fid,) = named(found, "fid", sampler="euler", nfe=5)
    assert at_counts[2].value == pytest.approx(fid.value, rel=1e-9)  # the same images in another order


def test_too_few_samples_are_not_taken_apart(folder: Path) -> None:
    found = judging(trained(folder, samples=20))  # a quarter of them is not above 5 features
    assert not named(found.rows, "fid_at_count")
    assert not named(found.rows, "fid_infinity")


def test_large_sets_are_not_compared_pair_by_pair(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring_samples, "MOST_PAIRED", 59)
    found = judging(trained(folder))
    assert not [row for row in found.rows if row.name in ("kid", "precision", "recall")]
    assert len(named(found.rows, "fid", sampler="euler")) == 2


def test_the_reference_may_be_several_splits(folder: Path) -> None:
    found = judging(trained(folder, replace(TASK, evaluations=(2,), reference=("train", "valid"))))
    assert {row.measurement["reference"] for row in named(found.rows, "fid")} == {"made_up train and valid"}


def test_pictures_and_drawings(folder: Path) -> None:
    model = trained(folder)
    found = judging(model)
    best = min(found.sampled, key=lambda each: each.distance)
    shown, along = pictures(TASK, found)
    assert best.sampler in shown.title
    assert (shown.array == best.examples[:100]).all()
    of_it = [each for each in found.sampled if each.sampler == best.sampler]
    assert along.array.shape == (10 * len(of_it), *SHAPE)
    assert (along.array[-10:] == of_it[-1].examples[:10]).all()
    (lines,) = drawings(found)
    assert [line.label for line in lines.lines] == ["euler", "corrected", "noisy", "adaptive"]
    assert lines.lines[1].x == [1.0, 5.0]


# Likelihood and reconstruction, where the answer is known


def test_bits_of_the_uniform_density(folder: Path) -> None:
    """A density that is even over all bins needs log2 of the number of levels."""

    def log_likelihood(model: Any, settings: Any, x: Tensor, generator: torch.Generator) -> Tensor:
        assert x.dtype == torch.float64
        d = x[0].numel()
        return torch.full((len(x),), -d * math.log(LEVELS * TASK.bin_width), dtype=torch.float64)

    method = replace(METHOD, log_likelihood=log_likelihood)
    dequantised = trained(folder, replace(TASK, dequantised=True), method)
    test, on_train = bits(replace(dequantised, settings=Solved()))
    assert (test.name, on_train.name) == ("bits_per_dim", "train_bits_per_dim")
    assert test.value == on_train.value == pytest.approx(math.log2(LEVELS), rel=1e-12)
    assert (test.n, test.measurement["split"], on_train.measurement["split"]) == (6, "test", "train")
    assert test.measurement["solver"] == "dopri5 at tolerance 0.001 from time 1e-05, batches of 1000; trace: exact"
    # A task whose levels are not spread has no density, and the other way round no bound.
    assert bits(trained(folder, TASK, method)) == []


@pytest.mark.parametrize(("most", "batches"), [(300_000, [6]), (64, [4, 2]), (3, [1] * 6)])
def test_a_likelihoods_batches_fit_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, most: int, batches: list[int]
) -> None:
    seen = []

    def log_likelihood(model: Any, settings: Any, x: Tensor, generator: torch.Generator) -> Tensor:
        seen.append(len(x))
        return torch.zeros(len(x), dtype=torch.float64)

    monkeypatch.setattr(measuring_likelihood, "MOST_VALUES", most)
    method = replace(METHOD, log_likelihood=log_likelihood)
    dequantised = trained(folder, replace(TASK, dequantised=True), method)
    test, _ = bits(replace(dequantised, settings=Solved(exact_trace_dimensions=15)))
    assert seen == batches * 2  # of test and of train
    whole = max(1, min(1000, most // 16))
    assert test.variant["batch"] == whole
    assert str(test.measurement["solver"]).endswith(f"batches of {whole}; trace: hutchinson_rademacher")


def test_of_samples_only_what_is_shown_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring_samples, "SHOWN", 7)
    for each in judging(trained(folder)).sampled:
        assert len(each.examples) == 7
        assert each.examples.base is None  # a view would keep the others too


def test_bits_of_the_bound_and_of_its_parts(folder: Path) -> None:
    def bound_terms(model: Any, settings: Any, x: Tensor, noise: Callable[[Tensor], Tensor]) -> Tensor:
        assert noise(x).shape == x.shape
        nats = x[0].numel() * math.log(2)
        return torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)[:, None].expand(3, len(x)) * nats

    def variational_bound(model: Any, settings: Any, x: Tensor, generator: torch.Generator) -> Tensor:
        return bound_terms(model, settings, x, torch.zeros_like).sum(0)

    whole = replace(METHOD, variational_bound=variational_bound)
    parts = replace(whole, bound_terms=bound_terms)
    told = {row.name: row.value for row in bits(trained(folder, TASK, parts))}
    assert told == pytest.approx(
        {
            "bound": 3.5,
            "bound_distortion": 0.5,
            "bound_rate": 3.0,
            "train_bound": 3.5,
            "train_bound_distortion": 0.5,
            "train_bound_rate": 3.0,
        },
        rel=1e-12,
    )
    assert [row.name for row in bits(trained(folder, TASK, whole))] == ["bound", "train_bound"]
    assert bits(trained(folder, replace(TASK, likelihood_images=0), whole)) == []
    assert bits(trained(folder, replace(TASK, dequantised=True), whole)) == []


def test_reconstruction_of_all_test_images_at_the_tasks_steps(folder: Path) -> None:
    def error(model: Any, settings: Any, x: Tensor, steps: int) -> Tensor:
        return torch.full((len(x),), 2.0**-steps, dtype=torch.float64)

    method = replace(METHOD, reconstruction_error=error)
    rows = reconstruction(trained(folder, TASK, method))
    told = [(row.variant, row.value, row.n) for row in rows]
    assert told == [({"steps": 2}, 2.0**-2, 12), ({"steps": 5}, 2.0**-5, 12)]
    assert reconstruction(trained(folder)) == []


# The whole


def test_an_evaluation_makes_a_record_and_repeats(folder: Path) -> None:
    found, again = (evaluate(given(folder)) for _ in range(2))
    assert found.rows == again.rows
    (size,) = named(found.rows, "parameters")
    assert size.value == 1
    metrics = [metric_of(row) for row in found.rows]
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
    assert record.drawings
    different = evaluate(given(folder, seed=4))
    assert named(different.rows, "fid") != named(found.rows, "fid")


@dataclass(frozen=True)
class Curved(Settings):
    """Of a method with paths to choose from."""

    path: str = "straight"


@dataclass(frozen=True)
class Grey:
    """Of a method that knows the levels of the data."""

    grey_levels: int = 256


@dataclass(frozen=True)
class Borrowing:
    """Of a method that trains nothing."""

    slope: float = 0.0


def test_a_method_samples_the_model_of_another(folder: Path) -> None:
    borrowing: Any = DiffusionMethod(settings=Settings, samplers=(euler,))
    found = evaluate(given(folder, method=borrowing, settings=Borrowing()))
    own = evaluate(given(folder))
    assert named(found.rows, "fid") == named(own.rows, "fid", sampler="euler")


def test_rows_are_named_by_the_settings_of_the_training(folder: Path) -> None:
    """Those along which papers compare, even where another method samples."""
    trainer = Trainer(replace(METHOD, varies=("path",)), Curved())
    borrowing: Any = DiffusionMethod(settings=Settings, samplers=(euler,))
    found = evaluate(given(folder, trainer=trainer, method=borrowing, settings=Borrowing()))
    assert all(row.variant["path"] == "straight" for row in found.rows)


def test_settings_that_the_model_was_not_trained_with_are_refused(folder: Path) -> None:
    borrowing: Any = DiffusionMethod(settings=Settings, samplers=(euler,))
    wanted = r"settings\.slope: found 0\.25; the entry that trained the model has 0\.0"
    with pytest.raises(InputError, match=wanted):
        evaluate(given(folder, method=borrowing, settings=Borrowing(slope=0.25)))


def test_grey_levels_that_the_data_has_not_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"settings\.grey_levels: found 256; the images of task made_up have 17"):
        evaluate(given(folder, trainer=Trainer(METHOD, Grey()), settings=Grey()))


def test_tasks_fit_their_data_and_state_all_that_decides_a_number() -> None:
    for task in TASKS:
        assert list(task.evaluations) == sorted(task.evaluations)
        if isinstance(task, ImageGeneration):
            found = dataset.find(task.dataset)
            assert (task.shape, task.levels) == (found.shape, found.levels)
        else:  # data of its own law
            assert task.dataset is None
    assert len({task.name for task in TASKS}) == len(TASKS)


# Extractors


def test_an_extractor_is_kept_and_read_again(folder: Path) -> None:
    own = extractor_of(SmallClassifier(CLASSIFIER, torch.Generator().manual_seed(0)))
    back = kept.read(folder)
    assert back.name == own.name
    shown = images()("test")
    assert (back(shown).pool == own(shown).pool).all()


def test_no_extractor_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kept.read(tmp_path)


def test_the_extractor_of_the_digits_is_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset.fetch(dataset.find("digits"), Path("data/digits"), lambda _: None)
    short = replace(extractors_settings(), epochs=1)
    monkeypatch.setattr("benchmarks.metrics.extractors.small_classifier.DIGITS", short)
    made = []
    for _ in range(2):
        extractors.run("digits")
        made.append({path.name: path.read_bytes() for path in Path("extractors/digits").iterdir()})
    assert made[0] == made[1]
    assert set(made[0]) == {kept.SETTINGS, kept.WEIGHTS}
    assert [path.name for path in Path("extractors").iterdir()] == ["digits"]


def extractors_settings() -> ClassifierSettings:
    from benchmarks.metrics.extractors.small_classifier import DIGITS

    return DIGITS


def test_a_data_set_without_a_classifier_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"extractor tfd: no small classifier is made for 256 levels of \(48, 48\)"):
        extractors.run("tfd")
