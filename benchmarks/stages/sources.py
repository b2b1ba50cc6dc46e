"""Stage sources: hashes of code in sources/, on which the other stages depend."""

from pathlib import Path

from benchmarks.files.errors import InputError
from benchmarks.files.listing import files_in
from benchmarks.files.typed_files import canonical, write_text
from benchmarks.plan import composition, profiles
from benchmarks.plan.params import Params
from benchmarks.provenance.identity import Identities

FOLDER = Path("sources")
# Stages that belong to no entry, and the function that each runs.
STAGES = {
    "features": ("benchmarks.stages.features", "run"),
    "extractors": ("benchmarks.stages.extractors", "run"),
    "judge": ("benchmarks.stages.judge", "run"),
    "report": ("benchmarks.stages.report", "run"),
}


def texts(params: Params, root: Path = Path()) -> dict[Path, str]:
    """What each file below sources/ holds, for a composed profile."""
    today = Identities(root)
    found = {Path(f"{stage}.txt"): today.code.hash([today.code.find(*run)]) for stage, run in STAGES.items()}
    for path in files_in(root / "benchmarks/data", ".py"):
        if path.name != "__init__.py":
            try:
                dataset = today.code.find(f"benchmarks.data.{path.stem}", "DATASET")
            except (LookupError, SyntaxError, UnicodeDecodeError) as error:
                raise InputError(f"{path}: no data set ({error}); it must define DATASET, or lie elsewhere") from None
            found[Path("data") / f"{path.stem}.txt"] = today.code.hash([dataset])
    for entry, composed in params.entries.items():
        place = Path(params.profile) / entry
        if composed.steps is not None:
            found[place / "train.txt"] = today.training(params, entry)
            if today.makes_pairs(params, entry):
                found[place / "pairs.txt"] = today.pairs(params, entry)
        found[place / "evaluate.txt"] = today.evaluation(params, entry)
    # What tables are marked as stale by, of all profiles.
    every = {name: composition.compose(profiles.read(name, root), root) for name in profiles.names(root)}
    whole = {name: {entry: today.evaluation(one, entry) for entry in one.entries} for name, one in every.items()}
    return {**{path: text + "\n" for path, text in found.items()}, Path("entries.json"): canonical(whole) + "\n"}


def run() -> None:
    """Writes every hash; files of code that is gone are removed."""
    found = texts(composition.read_params())
    for path, text in found.items():
        write_text(FOLDER / path, text)
    for path in (path for path in FOLDER.rglob("[!.]*.txt") if path.is_file()):
        if path.relative_to(FOLDER) not in found:
            path.unlink()
