"""The stages report and readme."""

import shutil
from pathlib import Path

import pytest

from benchmarks.errors import InputError
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


def test_readme_says_verdicts_and_best_rows_but_nothing_of_smoke(root: Path) -> None:
    text = readme.block(root)
    assert "| profile | claim | paper | ours | verdict | marks |" in text
    assert (
        r"| [cpu](reports/cpu/README.md) | nice_ll (Table 1) | -69.25 | -69.0 \[-70, -68\] | *undecided* | *stale* |"
        in text
    )
    assert "Claims not run: 1 in cpu." in text
    assert "nice_mnist" not in text
    assert "| cpu | container: looks (n 64) ↓ | container / two_pointers, n 64 | 63.5" in text
    assert "third" not in text  # its board tells nobody apart
    assert "smoke" not in text
    assert "<script>" not in text


def test_readme_follows_results(root: Path) -> None:
    readme.run(root)
    path = root / "results/tables/cpu/verdicts.csv"
    path.write_text(path.read_text().replace("-69.25", "-69.26"))
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
