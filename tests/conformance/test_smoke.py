"""Profile smoke has an entry of every method and kind of problem that needs no download of its own."""

from pathlib import Path

from benchmarks.plan import profiles
from benchmarks.plan.methods import all_methods, families, tasks

ROOT = Path(__file__).parents[2]
AT_HAND = {None, "digits", "reviews"}  # data sets that come with a Python package
ENTRIES = profiles.read("smoke", ROOT).entries.values()


def test_every_method_has_an_entry():
    assert {entry.method for entry in ENTRIES} == all_methods(ROOT).keys()


def test_every_kind_of_problem_has_an_entry():
    methods = all_methods(ROOT)
    wanted = {type(task) for family in families() for task in tasks(family).values() if task.dataset in AT_HAND}
    assert {type(tasks(methods[entry.method].family)[entry.task]) for entry in ENTRIES} == wanted


def test_no_entry_needs_a_download():
    methods = all_methods(ROOT)
    assert {tasks(methods[entry.method].family)[entry.task].dataset for entry in ENTRIES} == AT_HAND
