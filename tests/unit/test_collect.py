"""What is collected of a profile that may lag, and that `cpu` and `smoke` may not."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import profiles
from benchmarks.errors import InputError
from benchmarks.records import ENTRIES, RECEIPTS
from benchmarks.stages import collect
from benchmarks.stages.evaluate import EVALS
from benchmarks.typed_files import write_text
from tests.unit.judged import number, record, run


def text(profile: str, entry: str, source: str = "code") -> str:
    made = record([run(0, number(1.0))], entry, profile=profile, source=source)
    return str(made.model_dump_json(indent=1)) + "\n"


@pytest.fixture
def profile_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An empty tree with a composed profile of the entries one, two and three; records are of the code `code`."""
    monkeypatch.chdir(tmp_path)

    def composed(name: str) -> None:
        entry = SimpleNamespace(method="method_a", seeds=[0])
        params = SimpleNamespace(
            profile=name, entries=dict.fromkeys(("one", "two", "three"), entry), settings_hash=lambda entry: "settings"
        )

        def fake(*_: Any, **__: Any) -> Any:
            return params

        monkeypatch.setattr(profiles, "read_params_of", fake)
        monkeypatch.setattr(profiles, "needed_methods", lambda *_: [])
        monkeypatch.setattr(collect, "find_method", lambda name: SimpleNamespace(family="flows"))
        monkeypatch.setattr(collect, "entry_source", lambda method, needed: "code")
        monkeypatch.setattr(collect, "read_receipt", lambda path: None)

    return composed


def evaluated(profile: str, entry: str, source: str = "code") -> None:
    folder = EVALS / profile / entry
    write_text(folder / "record.json", text(profile, entry, source))
    write_text(folder / "receipt.json", "{}\n")


def committed(profile: str, entry: str, source: str = "code", of: str | None = None) -> None:
    write_text(ENTRIES / profile / f"{entry}.json", text(profile, of or entry, source))
    write_text(RECEIPTS / profile / f"{entry}.json", "{}\n")


def test_what_was_never_run_has_no_record(profile_of: Callable[[str], None], capsys: Any) -> None:
    profile_of("cpu_long")
    evaluated("cpu_long", "one")
    committed("cpu_long", "two")
    collect.run("cpu_long")
    assert capsys.readouterr().out == "cpu_long: 1 collected, 1 kept as committed, 1 never run, without a record\n"
    assert sorted(path.stem for path in (ENTRIES / "cpu_long").iterdir()) == ["one", "two"]
    assert sorted(path.stem for path in (RECEIPTS / "cpu_long").iterdir()) == ["one", "two"]


def test_a_record_of_other_code_stays_and_a_record_of_no_entry_goes(
    profile_of: Callable[[str], None], capsys: Any
) -> None:
    profile_of("cpu_long")
    for entry in ("one", "two", "three", "four"):
        committed("cpu_long", entry, "older code")
    collect.run("cpu_long")
    assert capsys.readouterr().out == "cpu_long: 0 collected, 3 kept as committed, 1 removed\n"
    assert not (ENTRIES / "cpu_long" / "four.json").exists()


@pytest.mark.parametrize("name", ["cpu", "smoke"])
def test_these_are_whole_or_refused(profile_of: Callable[[str], None], name: str) -> None:
    profile_of(name)
    for entry in ("one", "two"):
        evaluated(name, entry)
    with pytest.raises(InputError, match="no evaluation of three is at hand and no record is committed"):
        collect.run(name)
    assert not ENTRIES.exists()
    committed(name, "three", "older code")
    with pytest.raises(InputError, match="other code than today's"):
        collect.run(name)
    committed(name, "three")
    collect.run(name)
    assert len(list((ENTRIES / name).iterdir())) == 3


def test_no_profile_takes_an_evaluation_of_other_code(profile_of: Callable[[str], None]) -> None:
    profile_of("cpu_long")
    evaluated("cpu_long", "one", "older code")
    with pytest.raises(InputError, match="the evaluation was made by other code"):
        collect.run("cpu_long")


def test_a_record_in_anothers_place_is_refused_everywhere(profile_of: Callable[[str], None]) -> None:
    profile_of("cpu_long")
    committed("cpu_long", "one", of="two")
    with pytest.raises(InputError, match="put it back to its place"):
        collect.run("cpu_long")
