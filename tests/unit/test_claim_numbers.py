"""Numbers that a claim may hold: finite ones, and tables with something in each row."""

import math
from typing import Any

import pytest

from benchmarks.files.errors import InputError
from tests.unit.judged import claim, ordering, seeds, word

SIDES = {"method": "method_a"}, {"method": "method_b"}


@pytest.mark.parametrize("value", [[], [[]], [[1.0], []], [[[]]], [[[1.0]], [[]]]], ids=str)
def test_an_empty_table_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as caught:
        claim("exact", value=value)
    assert str(caught.value) == (
        f"made_up.yaml: claims.it.value: found {value}; must be a number, or a table with a number in each row"
    )


def test_rows_may_be_of_different_lengths() -> None:
    told = claim("exact", value=[[1.0, 2.5], [3.0]])
    assert told.allowed() == 0.05
    record = seeds([[[1.04, 2.5], [3.0]], [[1.0, 2.46], [3.0]]])
    assert word(told, record) == "reproduced"
    assert word(told, seeds([[[1.06, 2.5], [3.0]]])) == "contradicted"


PLACES = {
    "value": lambda x: claim("value", value=x),
    "tolerance": lambda x: claim("value", tolerance={"absolute": x, "reason": "a test"}),
    "exact": lambda x: claim("exact", value=x),
    "table": lambda x: claim("exact", value=[[1.0, x]]),
    "variant": lambda x: claim("value", variant={"n": x}),
    "below": lambda x: ordering(*SIDES, below={"n": x}),
    "margin": lambda x: ordering(*SIDES, margin={"absolute": x, "reason": "a test"}),
    "literature": lambda x: ordering({"literature": "theirs", "value": x}, SIDES[1]),
    "point": lambda x: claim("trend", along="n", shape="changes_at", point=x),
}


NUMBERS = (math.nan, math.inf, -math.inf, 10**400)
CASES = [(place, x) for place in PLACES for x in NUMBERS if (place, x) != ("variant", 10**400)]  # a whole number there


@pytest.mark.parametrize(("place", "number"), CASES)
def test_a_number_that_is_not_finite_is_refused(place: str, number: Any) -> None:
    assert PLACES[place](1.0)
    with pytest.raises(InputError, match=r"^made_up.yaml: claims\.it\."):
        PLACES[place](number)
