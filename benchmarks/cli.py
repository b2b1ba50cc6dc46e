"""`claimbench <verb>`: each command parses, calls a stage or a domain module, prints. It imports nothing heavy."""

import os
import sys
from typing import Annotated

import typer

from benchmarks.errors import CheckFailed, InputError

app = typer.Typer(
    name="claimbench",
    help="Does the paper's number hold, here, at this commit?",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ProfileArgument = Annotated[str, typer.Argument(help="a file of benchmarks/profiles/, without .yaml")]
EntryArgument = Annotated[str, typer.Argument(help="an entry of the profile")]
OffProfile = Annotated[
    bool,
    typer.Option("--off-profile", envvar="CLAIMBENCH_OFF_PROFILE", help="run on other hardware; marks every table"),
]


@app.command("list")
def list_everything() -> None:
    """Methods, tasks, profiles, entries and claims at hand."""
    from benchmarks.stages import listing

    listing.run()


@app.command()
def profile(name: ProfileArgument) -> None:
    """Compose a profile into params.yaml; `dvc repro` then runs it."""
    from benchmarks.stages import profile as stage

    stage.run(name)


@app.command()
def doctor(name: Annotated[str | None, typer.Argument(help="profile; the composed one if left out")] = None) -> None:
    """Can this machine run the profile? Hardware, versions, data, disk; a line each, with the fix."""
    from benchmarks.stages import doctor as stage

    stage.run(name)


@app.command()
def fetch(dataset: Annotated[str, typer.Argument(help="a file of benchmarks/data/, without .py")]) -> None:
    """Stage: fetch a data set into data/, checked against its SHA-256."""
    from benchmarks.stages import fetch as stage

    stage.run(dataset)


@app.command()
def features(dataset: Annotated[str, typer.Argument(help="a data set that has been fetched")]) -> None:
    """Stage: compute what evaluations read of a data set besides the data, into features/."""
    from benchmarks.stages import features as stage

    stage.run(dataset)


@app.command()
def extractors(name: Annotated[str, typer.Argument(help="a fetched data set, or inception_v3_2015")]) -> None:
    """Stage: train, or fetch, the network in whose features samples are compared, into extractors/."""
    from benchmarks.stages import extractors as stage

    stage.run(name)


@app.command()
def sources() -> None:
    """Stage: hash what the code of each method and stage means, into sources/."""
    from benchmarks.stages import sources as stage

    stage.run()


@app.command()
def train(name: ProfileArgument, entry: EntryArgument, seed: int, off_profile: OffProfile = False) -> None:
    """Stage: train one entry with one seed."""
    from benchmarks.stages import train as stage

    with stage.noting_failure(name, entry, seed):
        stage.run(name, entry, seed, off_profile)


@app.command()
def pairs(name: ProfileArgument, entry: EntryArgument, seed: int, count: int, off_profile: OffProfile = False) -> None:
    """Stage: record noises and what a trained entry makes of them, for entries that learn from these."""
    from benchmarks.stages import pairs as stage
    from benchmarks.stages.train import noting_failure

    with noting_failure(name, entry, seed):
        stage.run(name, entry, seed, count, off_profile)


@app.command()
def evaluate(name: ProfileArgument, entry: EntryArgument, off_profile: OffProfile = False) -> None:
    """Stage: take the metrics of an entry, all seeds and variants."""
    from benchmarks.stages import evaluate as stage
    from benchmarks.stages.train import noting_failure

    with noting_failure(name, entry, None):
        stage.run(name, entry, off_profile)


@app.command()
def collect(
    name: ProfileArgument,
    partial: Annotated[
        bool, typer.Option("--partial", help="show what is at hand, failures too; write nothing")
    ] = False,
) -> None:
    """Stage: bring evaluations together in results/entries and results/receipts; of a long profile, those at hand."""
    from benchmarks.stages import collect as stage

    stage.show(name) if partial else stage.run(name)


@app.command()
def judge() -> None:
    """Stage: tables and verdicts of every profile that has records, into results/tables."""
    from benchmarks.stages import judge as stage

    stage.run()


@app.command()
def report(
    summary: Annotated[bool, typer.Option("--summary", help="only print the verdicts and the page's path")] = False,
) -> None:
    """Stage: pages and figures of every profile that has tables, into reports/."""
    from benchmarks.stages import report as stage

    stage.tell() if summary else stage.run()


@app.command()
def readme() -> None:
    """Write the results table of README.md anew from results/."""
    from benchmarks.stages import readme as stage

    stage.run()


@app.command()
def claims() -> None:
    """Every claim with its verdict in each profile."""
    from benchmarks.stages import claims as stage

    stage.run()


@app.command()
def explain(claim: Annotated[str, typer.Argument(help="id of a claim")]) -> None:
    """One verdict's whole story: the claim, the runs, the test, the reason."""
    from benchmarks.stages import explain as stage

    stage.run(claim)


@app.command()
def verify(
    rerun: Annotated[
        bool, typer.Option("--rerun", help="evaluate the models at hand again, within stated tolerances")
    ] = False,
) -> None:
    """Hash artefacts again and rebuild every table and report from the records; say which byte differs."""
    from benchmarks.stages import verify as stage

    stage.run(rerun)


@app.command("merge")
def merge() -> None:
    """After `git merge`: unite conflicting lock files and records, compose params.yaml anew; then run `dvc repro`."""
    from benchmarks.stages import merge as stage

    stage.run()


@app.command("new-method")
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
    try:
        app()
    except InputError as error:
        print(f"claimbench: {error}", file=sys.stderr)
        sys.exit(2)
    except CheckFailed as error:
        print(f"claimbench: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
