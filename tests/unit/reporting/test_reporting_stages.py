"""The stages report and readme."""

import re
import shutil
from pathlib import Path

import pytest

from benchmarks.errors import InputError
from benchmarks.reporting import boards, read
from benchmarks.stages import readme, report

FRAME = f"# Title\n\nbefore\n{readme.BEGIN}\nformer\n{readme.END}\nafter\n"


@pytest.fixture
def root(results_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(results_root, tmp_path / "root")
    (tmp_path / "root/README.md").write_text(FRAME)
    return tmp_path / "root"


def test_readme_round_trip(root: Path) -> None:
    assert not readme.matches(root)
    assert "run: claimbench readme" in (readme.finding(root) or "")
    readme.run(root)
    text = (root / "README.md").read_text()
    assert text.startswith(f"# Title\n\nbefore\n{readme.BEGIN}\n")
    assert text.endswith(f"{readme.END}\nafter\n")
    assert "former" not in text
    assert readme.matches(root)
    assert readme.finding(root) is None
    readme.run(root)
    assert (root / "README.md").read_text() == text


def test_readme_counts_verdicts_by_paper_and_says_nothing_of_smoke(root: Path) -> None:
    text = readme.block(root)
    assert "| profile | paper | claims judged | verdicts | marks |" in text
    counts = "1 fails at short scale, 1 holds at short scale, 1 not comparable: split, 1 reproduced, 1 undecided"
    row = f"| [cpu](reports/cpu/README.md) | NICE (2014) & others | 5 | {counts} | *stale* |".replace("&", "&amp;")
    assert row in text
    assert "Claims not run: 1 in cpu." in text
    assert "nice_mnist" not in text
    assert "smoke" not in text
    assert "<script>" not in text


def test_a_claim_with_two_verdicts_is_one_claim_and_memory_is_told(root: Path) -> None:
    path = root / "results/tables/cpu/verdicts.csv"
    first, *rest = path.read_text().splitlines(keepends=True)
    from_memory = next(line for line in rest if line.startswith("container_cost")).replace("verified", "from_memory")
    path.write_text("".join([first, *rest, from_memory]))
    text = readme.block(root)
    assert "| 5 | 1 fails at short scale, 1 holds at short scale, 1 holds at short scale (from memory), " in text


def test_readme_shows_what_did_not_hold_and_nothing_that_did(root: Path) -> None:
    text = readme.block(root)
    assert "| [cpu](reports/cpu/README.md) | nice_order | NICE (2014) & others, sec. 2 |".replace("&", "&amp;") in text
    assert "| – | 3 | **fails at short scale** |" in text
    for claim in ("nice_ll", "container_looks", "container_cost"):
        assert claim not in text
    path = root / "results/tables/cpu/verdicts.csv"
    for verdict in ("contradicted", "better", "worse"):
        path.write_text(re.sub("fails at short scale|contradicted|better", verdict, path.read_text()))
        assert f"| – | 3 | **{verdict}** |" in readme.block(root)
    path.write_text(path.read_text().replace("worse", "undecided"))
    assert "No claim that was judged came out otherwise than its paper says." in readme.block(root)


def test_readme_shows_the_last_board_of_those_along_a_number(root: Path) -> None:
    text = readme.block(root)
    assert "| cpu | container: looks (n 1024) ↓ | container / two_pointers, n 1024 | 1023.5" in text
    assert "n 64" not in text
    assert "n 256" not in text
    assert "third" not in text  # its board tells nobody apart


def test_readme_shows_no_board_on_which_one_method_stands_alone(root: Path) -> None:
    """Variants of one method, such as lengths of a flow, are told apart in the report."""
    path = root / "results/entries/cpu/container.json"
    path.write_text(path.read_text().replace('"algorithm"', '"looking"'))
    for name in ("scores", "leaderboard"):
        table = root / f"results/tables/cpu/{name}.csv"
        table.write_text(table.read_text().replace('"two_p', '"looking two_p').replace('"<scr', '"looking <scr'))
    assert "n 1024" in "".join(board.title for board in boards.boards(read.results("cpu", root)))
    assert "looks (" not in readme.block(root)


def test_readme_is_cut_at_so_many_first_places(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / "results/tables/cpu/leaderboard.csv"
    path.write_text(path.read_text().replace("container,looks,2,2", "container,looks,1,2"))
    assert "more are in the [reports]" not in readme.block(root)
    monkeypatch.setattr(readme, "MOST_BEST", 1)
    text = readme.block(root)
    assert "the first 1 rows, 1 more are in the [reports](reports/README.md)" in text
    assert text.count("container: looks") == 1


def test_readme_follows_results(root: Path) -> None:
    readme.run(root)
    path = root / "results/tables/cpu/verdicts.csv"
    path.write_text(path.read_text().replace("fails at short scale", "contradicted"))
    assert not readme.matches(root)


def test_readme_without_results(tmp_path: Path) -> None:
    assert "No results yet" in readme.block(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["nothing", FRAME.replace(readme.END, ""), FRAME + FRAME, f"{readme.END}\n{readme.BEGIN}\n", f"see {readme.BEGIN}"],
)
def test_readme_needs_its_markers(root: Path, text: str) -> None:
    (root / "README.md").write_text(text)
    with pytest.raises(InputError, match="once each"):
        readme.run(root)
    assert "once each" in (readme.finding(root) or "")
    assert (root / "README.md").read_text() == text


def test_readme_must_be_there(root: Path) -> None:
    (root / "README.md").unlink()
    with pytest.raises(InputError, match="no such file"):
        readme.run(root)


def test_report_prints_where_and_what(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    report.run()  # no params.yaml here: the reports are listed
    assert capsys.readouterr().out.splitlines()[-2:] == ["reports/cpu/index.html", "reports/smoke/index.html"]
    monkeypatch.setattr(report, "_composed", lambda: "cpu")
    report.run()
    out = capsys.readouterr().out
    assert "profile cpu: 2 entries of 2 methods, 5 of 6 runs done" in out
    assert "undecided [stale]" in out
    assert out.endswith("reports/cpu/index.html\n")
