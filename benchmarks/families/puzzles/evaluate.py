"""Evaluation of a puzzle: printed examples, agreement on random instances, cost in operations."""

import time
from typing import Any

import numpy as np

from benchmarks.families.puzzles.tasks import Puzzle
from benchmarks.record.evaluated import Evaluated, Measured
from benchmarks.run.job import EvaluationJob
from benchmarks.run.seeds import derive
from benchmarks.statistics.intervals import log_log_slope
from implementations.puzzles.parts.protocol import PuzzleMethod


def evaluate(job: EvaluationJob) -> Evaluated:
    """Metrics of every algorithm of the method, and the seconds each took on the longest instance.

    Per algorithm: `example_<k>`, the answer to the source's k-th example; `disagreements` with the task's reference
    on `job.samples` random instances and one of the longest length; `looks` at each length of the cost study, and
    `cost_exponent`, the slope of log looks against log n with its 95 % interval.
    """
    task: Puzzle = job.task
    method: PuzzleMethod = job.method
    generator = np.random.default_rng(derive(job.seed, "instances"))
    instances = [task.draw(int(length), generator) for length in task.lengths_drawn(job.samples, generator)]
    instances.append(task.draw(task.longest_once, generator))
    studied = [task.draw(length, generator) for length in task.lengths]
    answers = [task.reference(instance) for instance in instances]
    rows: list[Measured] = []
    seconds: dict[str, float] = {}
    for algorithm in method.algorithms:
        name = algorithm.__name__
        variant: dict[str, Any] = {"algorithm": name}
        for number, (numbers, _) in enumerate(task.examples, start=1):
            value = algorithm(np.array(numbers)).value
            printed: dict[str, Any] = {"instances": f"example {number} of the source"}
            rows.append(Measured(f"example_{number}", value, "area", "higher", 1, printed, variant))
        began = time.perf_counter()
        longest = algorithm(instances[-1]).value
        seconds[name] = time.perf_counter() - began
        given = [algorithm(instance).value for instance in instances[:-1]] + [longest]
        wrong = sum(one != other for one, other in zip(given, answers, strict=True))
        law: dict[str, Any] = {"instances": task.instances, "samples": len(instances)}
        rows.append(Measured("disagreements", wrong, "instances", "lower", len(instances), law, variant))
        looks = [algorithm(instance).looks for instance in studied]
        for length, count in zip(task.lengths, looks, strict=True):
            counted: dict[str, Any] = {"instances": f"heights uniform on 0..{task.largest}, n = {length}"}
            rows.append(Measured("looks", count, "looks", "lower", 1, counted, {**variant, "n": length}))
        slope = log_log_slope(task.lengths, looks)
        lengths = f"n = {task.lengths[0]}..{task.lengths[-1]}"
        study: dict[str, Any] = {"instances": f"heights uniform on 0..{task.largest}, {lengths}"}
        interval = (slope.low, slope.high)
        rows.append(Measured("cost_exponent", slope.mean, "power of n", "lower", len(looks), study, variant, interval))
    return Evaluated(rows, seconds)
