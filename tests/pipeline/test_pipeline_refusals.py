"""What stages and commands refuse, in which words, and that they leave nothing half-written."""

import re
import shutil
from collections.abc import Callable

import pytest

from tests.pipeline.clones import PROFILE, UP_TO_DATE, Clone

RECORD = "results/entries/smoke/container.json"


@pytest.fixture(scope="module")
def checkout(shared: Callable[[str], Clone]) -> Clone:
    """One copy for all tests of this file; each leaves it as it was, see `restored`."""
    return shared("refusals")


@pytest.fixture
def restored(checkout: Clone) -> Clone:
    """The shared copy as git has it, with its runs and evaluations."""
    for name in ("runs", "evals", ".failures"):
        shutil.rmtree(checkout / name, ignore_errors=True)
    checkout.git("reset", "-q", "--hard")
    checkout.git("clean", "-q", "-fd")
    kept = checkout.path.parent / "kept"
    if not kept.exists():
        checkout.dvc("checkout", "-q")
        for name in ("runs", "evals"):
            shutil.copytree(checkout / name, kept / name)
    for name in ("runs", "evals"):
        shutil.rmtree(checkout / name, ignore_errors=True)
        shutil.copytree(kept / name, checkout / name)
    return checkout


def one_sentence(told: str) -> str:
    """The one line that a refused command prints."""
    assert len(told.splitlines()) == 1, told
    assert told.startswith("claimbench: ")
    return told


@pytest.mark.dvc
def test_collect_refuses_an_evaluation_of_other_code(restored: Clone) -> None:
    before = restored.hashes("results")
    restored.edit("implementations/flows/nice.py", "return -model.log_prob", "return -2.0 * model.log_prob")
    told = one_sentence(restored.bench("collect", "smoke", code=2))
    assert "smoke/nice_digits: the evaluation was made by other code" in told
    assert "dvc repro -f -s benchmarks/families/flows/dvc.yaml:evaluate@smoke_nice_digits" in told
    assert restored.hashes("results") == before


@pytest.mark.dvc
def test_evaluate_refuses_weights_whose_code_changed_while_they_trained(restored: Clone) -> None:
    before = restored.hashes("evals")
    trained = "runs/smoke/nice_digits/models/s0/trained.json"
    restored.edit(trained, '"source": "', '"source": "0')
    told = one_sentence(restored.bench("evaluate", "smoke", "nice_digits", code=2))
    assert trained in told
    assert "dvc repro -f -s benchmarks/families/flows/dvc.yaml:train@smoke_nice_digits_s0" in told
    assert restored.hashes("evals") == before


@pytest.mark.dvc
def test_collect_keeps_a_committed_record_only_while_its_settings_hold(restored: Clone) -> None:
    before = restored.hashes("results")
    shutil.rmtree(restored / "evals/smoke/container")
    assert "1 collected, 1 kept as committed" in restored.bench("collect", "smoke")
    assert restored.hashes("results") == before

    restored.compose(PROFILE.replace("samples: 3", "samples: 5"))
    told = one_sentence(restored.bench("collect", "smoke", code=2))
    assert "smoke/container: the committed record was made with other settings than params.yaml has" in told

    restored.compose(PROFILE.replace("seeds: [0]\n    samples", "seeds: [0, 1]\n    samples"))
    assert "the committed record has other seeds" in one_sentence(restored.bench("collect", "smoke", code=2))
    assert restored.hashes("results") == before

    (restored / RECORD).unlink()
    told = one_sentence(restored.bench("collect", "smoke", code=2))
    assert f"{RECORD}: no evaluation of container is at hand and no record is committed; run: dvc repro" in told


@pytest.mark.dvc
def test_collect_refuses_a_record_that_lies_in_anothers_place(restored: Clone) -> None:
    container, nice = (f"evals/smoke/{entry}/record.json" for entry in ("container", "nice_digits"))
    before = restored.hashes("results")
    shutil.copy2(restored / nice, restored / container)
    told = one_sentence(restored.bench("collect", "smoke", code=2))
    assert "smoke/container: the evaluation is of smoke/nice_digits; put it back to its place, or remove it" in told

    (restored / container).unlink()
    restored.edit(RECORD, '"profile": "smoke"', '"profile": "other"')
    told = one_sentence(restored.bench("collect", "smoke", code=2))
    assert "smoke/container: the committed record is of other/container; put it back" in told
    restored.git("checkout", "-q", "--", RECORD)
    assert restored.hashes("results") == before


@pytest.mark.dvc
def test_only_the_composed_profile_is_collected_or_shown(restored: Clone) -> None:
    before = restored.hashes("results")
    for words in (["cpu"], ["--partial", "cpu"]):
        told = one_sentence(restored.bench("collect", *words, code=2))
        assert "params.yaml: profile: found smoke; wanted cpu; run: claimbench profile cpu" in told
    assert restored.hashes("results") == before


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("edit", "words", "why"),
    [
        (
            ("batch: 100", "batch: 5000"),
            ("nice_digits", "0"),
            r"params\.yaml: entries\.nice_digits\.settings\.batch: found 5000; "
            r"at most the \d+ training examples of digits",
        ),
        (
            ("batch: 100", "batch: 100, learning_rate: -1.0"),
            ("nice_digits", "0"),
            r"params\.yaml: entries\.nice_digits: settings: learning_rate must be above 0, not -1\.0",
        ),
        (None, ("nice_digits", "7"), r"entry nice_digits: seed 7 is none of its seeds, \[0\]; add it to the profile"),
        (
            None,
            ("container", "0"),
            "entry container: nothing of it is trained; run: claimbench evaluate smoke container",
        ),
        (None, ("nowhere", "0"), "entry nowhere: not in profile smoke; it has container, nice_digits"),
    ],
    ids=["batch", "range", "seed", "untrained", "unknown"],
)
def test_train_refuses_what_it_cannot_train_and_notes_no_failure(
    restored: Clone, edit: tuple[str, str] | None, words: tuple[str, str], why: str
) -> None:
    if edit:
        restored.compose(PROFILE.replace(*edit))
    before = restored.hashes("runs")
    assert re.search(why, one_sentence(restored.bench("train", "smoke", *words, code=2)))
    assert restored.hashes("runs") == before
    assert not (restored / ".failures").exists()


@pytest.mark.dvc
def test_evaluate_without_a_model_says_so_and_keeps_the_last_evaluation(restored: Clone) -> None:
    before = restored.hashes("evals", "results")
    for name in ("model.pt", "trained.json"):
        (restored / "runs/smoke/nice_digits/models/s0" / name).unlink()
        told = one_sentence(restored.bench("evaluate", "smoke", "nice_digits", code=2))
        assert f"runs/smoke/nice_digits/models/s0/{name}" in told
        assert "train@smoke_nice_digits_s0" in told
    assert restored.hashes("evals", "results") == before


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("hardware", "field"),
    [
        ("{device: cuda, name: No Such Card, memory_gib: 1}", r"hardware\.(device|name)"),
        ("{device: cpu, memory_gib: 4096}", r"hardware\.memory_gib: this machine has [0-9.]+; the profile needs"),
        ("{device: cpu, memory_gib: 0.5, threads: 4096}", r"hardware\.threads: .* needs 4096"),
    ],
    ids=["cuda", "memory", "threads"],
)
def test_a_profile_of_other_hardware_is_refused_naming_the_field(restored: Clone, hardware: str, field: str) -> None:
    restored.compose(re.sub("hardware: .*", f"hardware: {hardware}", PROFILE))
    before = restored.hashes("runs", "evals", "results")
    for words in (("train", "smoke", "nice_digits", "0"), ("evaluate", "smoke", "container")):
        told = one_sentence(restored.bench(*words, code=2))
        assert re.search(f"benchmarks/profiles/smoke.yaml: {field}", told)
    assert restored.hashes("runs", "evals", "results") == before


@pytest.mark.dvc
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["Bad-Name"], "lower case"),
        (["../outside"], "lower case"),
        (["1st"], "a letter first"),
        (["a@b"], "lower case"),
        ([""], "lower case"),
        (["import"], "Python"),
        (["container"], "is there already"),
        (["nice"], "is there already"),
        (["nice_digits"], "stands twice"),
        (["fine", "--family", "nowhere"], "no template"),
        (["fine", "--family", "../flows"], "no template"),
    ],
    ids=lambda given: "_".join(given) if isinstance(given, list) else "",
)
def test_new_method_refuses_bad_names_and_leaves_nothing_behind(restored: Clone, words: list[str], why: str) -> None:
    assert why in one_sentence(restored.bench("new-method", *words, code=2))
    assert restored.git("status", "--porcelain") == ""


@pytest.mark.dvc
def test_verify_names_every_file_of_which_a_byte_was_flipped(restored: Clone) -> None:
    assert "everything is as the records say" in restored.bench("verify")
    model = "runs/smoke/nice_digits/models/s0/model.pt"
    flipped = [model, "results/tables/smoke/scores.csv", "reports/smoke/index.html", RECORD]
    for name in flipped:
        content = bytearray((restored / name).read_bytes())
        # In a record and a table a digit of a number, so that they stay well-formed.
        number = {RECORD: b'"value": 49', flipped[1]: b",49,"}.get(name)
        at = content.index(number) + number.index(b"9") if number else len(content) // 2
        content[at] ^= 1
        (restored / name).write_bytes(bytes(content))
    told = restored.bench("verify", code=1)
    for name in flipped:
        assert f"  {name}: " in told
    assert "Traceback" not in told


@pytest.mark.dvc
def test_verify_evaluates_again_and_writes_nothing(restored: Clone) -> None:
    def written() -> dict[str, int]:
        files = [path for name in ("evals", "runs", "results", "reports") for path in (restored / name).rglob("*")]
        return {str(path): path.stat().st_mtime_ns for path in files}

    hashes, times = restored.hashes("evals", "runs", "results", "reports"), written()
    assert "everything is as the records say" in restored.bench("verify", "--rerun")
    assert (restored.hashes("evals", "runs", "results", "reports"), written()) == (hashes, times)
    assert UP_TO_DATE in restored.dvc("status")
    assert restored.git("status", "--porcelain") == ""


@pytest.mark.dvc
def test_verify_calls_a_malformed_record_bad_input(restored: Clone) -> None:
    restored.edit(RECORD, '"status": "done"', '"status": "fine"')
    told = one_sentence(restored.bench("verify", code=2))
    assert f"{RECORD}: runs.0.status: found 'fine'" in told
