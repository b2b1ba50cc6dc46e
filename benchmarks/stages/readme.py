"""Keeps the results of README.md, a few lines between two markers, equal to results/."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_text
from benchmarks.judging.results import Results
from benchmarks.reporting import committed, markdown, verdicts
from benchmarks.stages import judge

README = Path("README.md")
BEGIN = "<!-- results: written by 'claimbench readme' -->"
END = "<!-- end of results -->"


def run(root: Path = Path()) -> None:
    """Writes the lines between the two markers anew, the file whole.

    Raises:
        InputError: README.md is absent or lacks the markers; a record or claim is malformed.
    """
    before, _, after = _parts(root)
    write_text(root / README, before + block(judge.results(root)) + after)


def finding(everything: Sequence[Results], root: Path = Path()) -> str | None:
    """What `claimbench verify` says of README.md; None where all is well."""
    try:
        if _parts(root)[1] == block(everything):
            return None
        return f"{README}: the results table is not that of results/; run: claimbench readme"
    except InputError as error:
        return str(error)


def block(everything: Sequence[Results]) -> str:
    """The Markdown between the markers, of every profile but smoke ones: a row each, and how much did not hold."""
    shown = [results for results in everything if results.profile != "smoke" and results.tiers != ["smoke"]]
    if not shown:
        return "\nNo results yet: run `make repro`.\n\n"
    failed = sum(len(verdicts.failed(results)) for results in shown)
    listed = f"{committed.count(failed, 'verdict')} against a claim: [which, and why](reports/README.md)."
    return f"\n{markdown.table(committed.overview(shown, 'reports/'))}\n{listed}\n\n"


def _parts(root: Path) -> tuple[str, str, str]:
    """README.md up to the end of the first marker's line, between, and from the second marker on."""
    path = root / README
    if not path.is_file():
        raise InputError(f"{README}: no such file; write one with the lines {BEGIN} and {END}")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{README}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    return split(text)


def split(text: str) -> tuple[str, str, str]:
    """The text of README.md up to the end of the first marker's line, between, and from the second marker on.

    Raises:
        InputError: the markers are not there once each, in order.
    """
    lines = text.splitlines(keepends=True)
    plain = [line.rstrip("\r\n") for line in lines]
    if plain.count(BEGIN) != 1 or plain.count(END) != 1 or plain.index(BEGIN) > plain.index(END):
        raise InputError(f"{README}: the results stand between the lines {BEGIN} and {END}, once each; add them")
    first, last = plain.index(BEGIN), plain.index(END)
    return "".join(lines[: first + 1]), "".join(lines[first + 1 : last]), "".join(lines[last:])
