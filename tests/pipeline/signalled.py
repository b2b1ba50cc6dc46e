"""A command of claimbench whose training saves every few steps and gets a signal after one that is named.

python signalled.py STEP NUMBER train smoke radial_mixture 0; step 0: no signal. It lies in the root of a clone.
"""

import os
import sys

from benchmarks import cli
from benchmarks.run.checkpoints import DiskCheckpoint

EVERY = 10  # steps


def main() -> None:
    """Runs the command; the rest of the words are its own."""
    at, number, *words = sys.argv[1:]

    def due(_: DiskCheckpoint, step: int) -> bool:
        if step == int(at):
            os.kill(os.getpid(), int(number))
        return step % EVERY == 0

    DiskCheckpoint.due = due
    sys.argv = ["claimbench", *words]
    cli.main()


if __name__ == "__main__":
    main()
