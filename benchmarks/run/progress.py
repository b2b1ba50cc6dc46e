"""Progress of a run: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

PLAIN_EVERY = 30.0  # seconds


class Progress:
    """Told of each step; shows step, loss, images a second and the time left."""

    def __init__(self, name: str, steps: int, batch: int):
        self.name, self.steps, self.batch = name, steps, batch
        self.began, self.made, self.told = time.monotonic(), 0, 0.0
        self._bar = _bar(name, steps) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def step(self, step: int, loss: float, norm: float) -> None:
        """The callback that `fit` is given."""
        now = time.monotonic()
        self.made += 1  # by this process: a resumed run starts at a later step
        rate = self.made * self.batch / max(now - self.began, 1e-9)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=step, loss=f"{loss:.4g}", rate=f"{rate:,.0f}")
        elif now - self.told >= PLAIN_EVERY or step == self.steps:
            left = (self.steps - step) * self.batch / max(rate, 1e-9)
            print(
                f"{self.name}: step {step} of {self.steps}, loss {loss:.4g}, gradient {norm:.3g}, "
                f"{rate:,.0f} images/s, {left:,.0f} s left",
                file=sys.stderr,
                flush=True,
            )
            self.told = now

    def reached(self, step: int) -> None:
        """Of work that says how far it has come, and has no loss."""
        self.made = step - 1
        self.step(step, 0.0, 0.0)


def _bar(name: str, steps: int) -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}  {task.fields[rate]} images/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    bar.add_task(name, total=steps, loss="-", rate="-")
    return bar
