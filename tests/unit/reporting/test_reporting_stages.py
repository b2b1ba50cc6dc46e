"""What is in git of reports, the block of README.md, and what verify says of either."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.files.typed_files import write_text
from benchmarks.judging.results import Results
from benchmarks.plan import composition
from benchmarks.reporting import committed
from benchmarks.stages import judge, readme, report, verify

FRAME = f"# Title\n\nbefore\n{readme.BEGIN}\nformer\n{readme.END}\nafter\n"


@pytest.fixture
def root(everything: list[Results], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checked-out state in which all agrees, but for records and receipts, which are none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(judge, "results", lambda *_, **__: everything)
    (tmp_path / "README.md").write_text(FRAME)
    readme.run(tmp_path)
    judge.build(tmp_path, judge.TABLES)
    report.write(everything, report.REPORTS)
    write_text(report.SITE / "cpu/index.html", "built, not in git")
    return tmp_path


# What is in git
def test_every_link_in_markdown_leads_somewhere(everything: list[Results]) -> None:
    made = committed.files(everything)
    for name, text in made.items():
        for link in re.findall(r"\]\(([^)]*)\)", text):
            assert str(Path(name).parent / link) in made, (name, link)


def test_markdown_and_latex_escape(everything: list[Results], assert_latex: Callable[[str], None]) -> None:
    made = committed.files(everything)
    for name, text in made.items():
        if name.endswith(".tex"):
            assert_latex(text)
        else:
            assert "<script" not in text
    assert r"&lt;script&gt;alert(1)&lt;/script&gt; 50 % &amp; a_b \| \$x\$ \#1" in made["cpu/README.md"]


def test_a_profile_shows_its_verdicts_marks_and_warning(everything: list[Results]) -> None:
    made = committed.files(everything)
    assert "never a paper's number" in made["cpu/README.md"]
    assert "these numbers mean nothing" in made["smoke/README.md"]
    for claim in ("nice_ll", "container_looks", "nice_order", "container_cost", "container_split"):
        assert f"| {claim} |" in made["cpu/README.md"]
    assert "nice_mnist" not in made["cpu/README.md"]  # not run
    assert "*stale*" in made["cpu/README.md"]
    assert "[stale]" in made["cpu/tables/verdicts.tex"]


def test_the_front_door_lists_what_did_not_hold(everything: list[Results]) -> None:
    text = committed.files(everything)["README.md"]
    assert "| [cpu](cpu/README.md) | nice_order |" in text
    assert "| [smoke](smoke/README.md) | nice_order |" not in text  # where numbers mean nothing
    for claim in ("nice_ll", "container_looks", "container_cost"):
        assert claim not in text


def test_reports_of_profiles_without_records_go(root: Path, everything: list[Results]) -> None:
    report.write(everything[:1], report.REPORTS)
    left = {str(path.relative_to(root)) for path in report.REPORTS.resolve().rglob("*") if path.is_file()}
    assert left == {
        "reports/README.md",
        "reports/cpu/README.md",
        "reports/cpu/tables/verdicts.tex",
        "reports/site/cpu/index.html",
    }


def test_every_report_is_known_as_one(everything: list[Results]) -> None:
    assert all(map(committed.is_ours, committed.files(everything).values()))
    assert all(map(committed.is_ours, committed.files([]).values()))
    assert not committed.is_ours("# My notes\n")


@pytest.mark.parametrize("name", ["README.md", "cpu/README.md", "cpu/tables/verdicts.tex"])
def test_what_a_report_did_not_write_it_does_not_replace(root: Path, everything: list[Results], name: str) -> None:
    foreign = root / "reports" / name
    foreign.write_bytes(b"# My notes \xff\n")
    before = {path: path.read_bytes() for path in (root / "reports").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=rf"^reports/{name}: not written by claimbench report[^\n]*$"):
        report.write(everything, report.REPORTS)
    assert {path: path.read_bytes() for path in (root / "reports").rglob("*") if path.is_file()} == before


def test_what_a_report_did_not_write_it_does_not_remove(root: Path, everything: list[Results]) -> None:
    for name in ("smoke/tables/mine.tex", "mine/README.md", "mine/tables/mine.tex"):
        write_text(root / "reports" / name, "mine")
    report.write(everything[:1], report.REPORTS)
    assert not (root / "reports/smoke/README.md").exists()
    for name in ("smoke/tables/mine.tex", "mine/README.md", "mine/tables/mine.tex"):
        assert (root / "reports" / name).read_text() == "mine"


# README.md
def test_readme_keeps_what_is_around_its_block(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert text.startswith(f"# Title\n\nbefore\n{readme.BEGIN}\n")
    assert text.endswith(f"{readme.END}\nafter\n")
    assert "former" not in text


def test_readme_has_a_line_a_profile_and_at_most_15(everything: list[Results]) -> None:
    text = readme.block(everything)
    assert len(text.splitlines()) + 2 <= 15
    assert "smoke" not in text
    assert "1 verdict against a claim" in text
    assert "No results yet" in readme.block([])


@pytest.mark.parametrize(
    "text",
    ["nothing", FRAME.replace(readme.END, ""), FRAME + FRAME, f"{readme.END}\n{readme.BEGIN}\n", f"see {readme.BEGIN}"],
)
def test_readme_needs_its_markers(root: Path, everything: list[Results], text: str) -> None:
    (root / "README.md").write_text(text)
    with pytest.raises(InputError, match="once each"):
        readme.run(root)
    assert "once each" in (readme.finding(everything, root) or "")
    assert (root / "README.md").read_text() == text


# verify
@pytest.fixture
def may_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile is composed of which records may be missing or stale."""
    monkeypatch.setattr(composition, "read_params", lambda: SimpleNamespace(profile="cpu_full"))


@pytest.mark.usefixtures("may_lag")
def test_verify_finds_nothing_where_all_agrees(root: Path) -> None:
    verify.run(rerun=False)


@pytest.mark.parametrize(
    "name",
    [
        "results/tables/cpu/scores.csv",
        "results/tables/cpu/verdicts.csv",
        "results/tables/smoke/summary.json",
        "reports/README.md",
        "reports/cpu/tables/verdicts.tex",
        "README.md",
    ],
)
@pytest.mark.usefixtures("may_lag")
def test_verify_names_the_file_in_which_a_byte_was_flipped(root: Path, name: str) -> None:
    text = (root / name).read_text()
    at = text.index("1", text.index(readme.BEGIN) if name == "README.md" else 0)
    (root / name).write_text(f"{text[:at]}0{text[at + 1 :]}")
    with pytest.raises(CheckFailed, match=rf"1 findings\n  {re.escape(name)}: "):
        verify.run(rerun=False)


@pytest.mark.usefixtures("may_lag")
def test_verify_names_files_that_are_missing_or_that_nothing_gives(root: Path) -> None:
    (root / "results/tables/cpu/scores.csv").unlink()
    (root / "reports/cpu/old.md").write_text("of a former build")
    with pytest.raises(CheckFailed) as error:
        verify.run(rerun=False)
    assert str(error.value).splitlines()[1:] == [
        "  results/tables/cpu/scores.csv: missing; the records give it",
        "  reports/cpu/old.md: nothing in the records gives this file",
    ]


def test_report_prints_the_verdicts_of_the_composed_profile(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report.tell()
    assert capsys.readouterr().out == "no profile is composed\n"
    monkeypatch.setattr(report, "_composed", lambda: "cpu")
    report.tell()
    out = capsys.readouterr().out
    assert "undecided [stale]" in out
    assert out.endswith("reports/cpu/README.md\n")
