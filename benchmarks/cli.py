"""`claimbench <verb>`: each command parses, calls a stage or a domain module, prints. It imports nothing heavy."""

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from benchmarks.files.errors import CheckFailed, InputError, refusal

app = typer.Typer(
    name="claimbench",
    help="Does the paper's number hold, here, at this commit?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class InCheckout(TyperCommand):
    """A command that runs in the root of the checkout, wherever in it it is called."""

    def invoke(self, ctx: Any) -> Any:
        enter_checkout()
        return super().invoke(ctx)


class Printing(InCheckout):
    """A command that only prints, and so may end without a word when nobody reads on (`claimbench claims | head`)."""

    def invoke(self, ctx: Any) -> Any:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        return super().invoke(ctx)


def enter_checkout() -> None:
    """Changes to the root of the checkout that the current folder is in; raises InputError outside of one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "benchmarks/claims").is_dir():
            if data := os.environ.get("CLAIMBENCH_DATA"):  # of the folder that the caller was in
                os.environ["CLAIMBENCH_DATA"] = str(Path(data).expanduser().absolute())
            return os.chdir(folder)
    raise InputError(
        f"{here}: not in a checkout of claimbench (dvc.yaml beside benchmarks/claims/); change to a folder of one"
    )


command = partial(app.command, cls=InCheckout)
printing = partial(app.command, cls=Printing)


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="say on stderr what is being done")] = False,
) -> None:
    if verbose:
        import logging

        logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
        for package in ("benchmarks", "implementations"):
            logging.getLogger(package).setLevel(logging.INFO)


ProfileArgument = Annotated[str, typer.Argument(help="a file of benchmarks/profiles/, without .yaml")]
EntryArgument = Annotated[str, typer.Argument(help="an entry of the profile")]
OffProfile = Annotated[
    bool,
    typer.Option("--off-profile", envvar="CLAIMBENCH_OFF_PROFILE", help="run on other hardware; marks every table"),
]


@printing("list")
def list_everything(
    name: Annotated[str | None, typer.Argument(help="a profile, whose entries are listed")] = None,
) -> None:
    """List methods, tasks, profiles and papers; or the entries of one profile."""
    from benchmarks.stages import listing

    listing.run(name)


@command()
def profile(name: ProfileArgument) -> None:
    """Compose a profile into params.yaml; `dvc repro` then runs it."""
    from benchmarks.stages import profile as stage

    stage.run(name)


@printing()
def doctor(name: Annotated[str | None, typer.Argument(help="profile; the composed one if left out")] = None) -> None:
    """Check whether this machine can run a profile: hardware, versions, data, disk."""
    from benchmarks.stages import doctor as stage

    stage.run(name)


@command()
def fetch(dataset: Annotated[str, typer.Argument(help="a file of benchmarks/data/, without .py")]) -> None:
    """Stage: fetch a data set into data/, checked against its SHA-256."""
    from benchmarks.stages import fetch as stage

    stage.run(dataset)


@command()
def features(dataset: Annotated[str, typer.Argument(help="a data set that has been fetched")]) -> None:
    """Stage: compute what evaluations need besides the data, into features/."""
    from benchmarks.stages import features as stage

    stage.run(dataset)


@command()
def extractors(name: Annotated[str, typer.Argument(help="a fetched data set, or inception_v3_2015")]) -> None:
    """Stage: train, or fetch, the network in whose features samples are compared, into extractors/."""
    from benchmarks.stages import extractors as stage

    stage.run(name)


@command()
def sources() -> None:
    """Stage: hashes of the code behind each entry and stage, into sources/."""
    from benchmarks.stages import sources as stage

    stage.run()


@command()
def train(name: ProfileArgument, entry: EntryArgument, seed: int, off_profile: OffProfile = False) -> None:
    """Stage: train one entry with one seed."""
    from benchmarks.run.stopping import noting_failure
    from benchmarks.stages import train as stage

    with noting_failure(name, entry, seed):
        stage.run(name, entry, seed, off_profile)


@command()
def pairs(name: ProfileArgument, entry: EntryArgument, seed: int, count: int, off_profile: OffProfile = False) -> None:
    """Stage: record noises, or prompts, and the samples that a trained entry makes from them."""
    from benchmarks.run.stopping import noting_failure
    from benchmarks.stages import pairs as stage

    with noting_failure(name, entry, seed):
        stage.run(name, entry, seed, count, off_profile)


@command()
def evaluate(name: ProfileArgument, entry: EntryArgument, off_profile: OffProfile = False) -> None:
    """Stage: measure an entry, all seeds and variants."""
    from benchmarks.run.stopping import noting_failure
    from benchmarks.stages import evaluate as stage

    with noting_failure(name, entry, None):
        stage.run(name, entry, off_profile)


@command()
def smoke(
    family: Annotated[str | None, typer.Argument(help="run this family's entries only")] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="an empty folder to run in, which stays", resolve_path=True)
    ] = None,
) -> None:
    """Every entry of profile smoke in one process, in a folder of its own: does everything run?"""
    from benchmarks.stages import smoke as stage

    stage.run(family, keep)


@printing()
def status(name: ProfileArgument) -> None:
    """Which runs of the composed profile there are, and why others failed."""
    from benchmarks.stages import status as stage

    stage.run(name)


@command()
def judge() -> None:
    """Stage: tables and verdicts of every profile that has records, into results/tables."""
    from benchmarks.stages import judge as stage

    stage.run()


@command()
def report(
    site: Annotated[bool, typer.Option("--site", help="build the pages of reports/site/ instead")] = False,
    summary: Annotated[bool, typer.Option("--summary", help="only print the composed profile's verdicts")] = False,
) -> None:
    """Stage: verdicts of every profile that has records in Markdown and LaTeX, into reports/."""
    from benchmarks.stages import report as stage

    if site:
        stage.site()
    elif summary:
        stage.tell()
    else:
        stage.run()


@command()
def readme() -> None:
    """Write the results table of README.md anew from results/."""
    from benchmarks.stages import readme as stage

    stage.run()


@printing()
def claims() -> None:
    """Every claim with its verdict in each profile."""
    from benchmarks.stages import claims as stage

    stage.run()


@printing()
def explain(claim: Annotated[str, typer.Argument(help="id of a claim")]) -> None:
    """Show one verdict in full: the claim, the runs, the test, the reason."""
    from benchmarks.stages import explain as stage

    stage.run(claim)


@command()
def verify(
    rerun: Annotated[
        bool, typer.Option("--rerun", help="evaluate the models at hand again, within stated tolerances")
    ] = False,
) -> None:
    """Check artefacts, tables and reports against the records; name the first byte that differs."""
    from benchmarks.stages import verify as stage

    stage.run(rerun)


@command("merge")
def merge() -> None:
    """After `git merge`: unite conflicting lock files and records, compose params.yaml anew; then run `dvc repro`."""
    from benchmarks.stages import merge as stage

    stage.run()


@command("new-method")
def new_method(
    name: Annotated[str, typer.Argument(help="lower case letters, digits and underscores")],
    family: Annotated[str, typer.Option(help="family folder of implementations/")] = "puzzles",
) -> None:
    """Write a complete small method: file, profile blocks, claims, doc page, test. It passes as written."""
    from benchmarks.stages import new_method as stage

    stage.run(name, family)


def main() -> None:
    """Runs a command. Exit codes: 0 fine, 1 a check said no, 2 bad input."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's products have the same bits on any number of cores
    for stream in (sys.stdout, sys.stderr):  # a paper's "é" must not end a command on a terminal of ASCII
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # what cannot be written is told here, not after the end
    except BrokenPipeError:  # nobody reads on
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.exit(1)
    except OSError as error:
        if (refused := refusal(error)) is None:
            raise
        print(f"claimbench: {refused}", file=sys.stderr)
        if error.filename is None:  # it may be the output, which Python would try again
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.exit(2)
    except (InputError, CheckFailed) as error:
        for line in str(error).splitlines():
            print(f"claimbench: {line}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


if __name__ == "__main__":
    main()
