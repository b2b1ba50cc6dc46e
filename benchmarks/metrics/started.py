"""What an evaluation is given beside `given.Given`, by families whose entries start from one another.

Apart from `given.py` so that what only asks for that file's fields does not become stale.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.data.parts.corpus import Corpus
from benchmarks.metrics.given import Given


@dataclass(frozen=True)
class Started(Given):
    """What there is not raises InputError when it is asked for."""

    start: Callable[[], dict[str, Any]] | None  # weights, of this seed, of the entry that a trained one started from
    corpus: Callable[[], Corpus]  # of a task whose data set holds texts
