"""The number that a text gives as its answer: right values by what the texts mean, in the ways that models write."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from implementations.preferences.parts.answers import boxed_in, number_in

BOXES = [
    (r"\boxed{18\text{ dollars}} for 2 days", "18"),
    (r"\boxed{\text{18}} eggs, 3 boxes", "18"),
    (r"\boxed{18\text{ cm}^2}", "18"),
    (r"\boxed{18\,\mathrm{m}^{2}} 7", "18"),
    (r"\boxed{18 \text{ for 2 days}}", "18"),
    (r"\boxed{\mathbf{18}\text{ for 2 days}}", "18"),
    (r"\boxed{\text{18 eggs}} 5", "18"),
    (r"\boxed{18 \text{ km/h}}", "18"),
    (r"\boxed{1{,}200}", "1200"),
    (r"\boxed{1,\!200}", "1200"),
    (r"\boxed{1\,200}", "1200"),
    (r"\boxed{\$1,234.50}", "1234.5"),
    (r"\boxed {18}, 4", "18"),
    (r"\boxed{$18$}", "18"),
    (r"\boxed{18\%}", "18"),
    (r"\boxed{18^\circ} 1", "18"),
    ("\\boxed{\u221218}", "-18"),
    (r"\boxed{x = - 5}", "-5"),
    (r"\boxed{x = -3}", "-3"),
    (r"\boxed{x_{1} = 4}", "4"),
    (r"\boxed{x^2}", None),
    (r"\boxed{\frac{1}{2}}", "0.5"),
    (r"\boxed{-\frac{1}{3}}", "-1/3"),
    (r"\boxed{\frac{\text{36}}{2}} 4", "18"),
    (r"\boxed{3\frac{1}{2}}", "3.5"),
    (r"\boxed{\dfrac34}", "0.75"),
    (r"\boxed{1/0}", None),
    (r"\boxed{1.5 \times 10^3}", "1500"),
    (r"\boxed{2\cdot 10^{-2}}", "0.02"),
    (r"\boxed{72} or 73", "72"),
    (r"first \boxed{1}, no: $\boxed{2}$", "2"),
    (r"\boxed{\boxed{18}} or 3", "18"),
    (r"\boxed{{18}} 3", "18"),
    (r"\boxed{\{18\}} 3", "18"),
    (r"\boxed{7} then \boxed{8", "7"),  # cut off: no box
    (r"\boxed{none} but 5", None),  # what is boxed is the answer
    (r"\fbox{18} 3", "18"),
]
TEXTS = [
    ("so 12 and then 72.", "72"),
    ("it is -$7.00", "-7"),
    ("$-7", "-7"),
    (r"-\$7", "-7"),
    ("it is \u22127", "-7"),
    ("€5", "5"),
    ("from 3-4", "4"),  # no minus after a digit
    ("100", "100"),
    ("0.0", "0"),
    ("-0", "0"),
    ("1.5e3", "1500"),
    ("1e-3", "0.001"),
    (".5", "0.5"),
    ("-.50", "-0.5"),
    ("3/4", "0.75"),
    ("1 1/2 cups", "1.5"),
    ("18eggs", "18"),
    ("1,000,000 people", "1000000"),
    ("1\u202f200 m", "1200"),
    ("1,00,000", "100000"),  # as in India
    ("(1,2)", "2"),
    ("v2 of it", None),  # part of a word
    ("1e99999", None),
    ("9" * 5000, None),
    ("no number", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "number"), [*BOXES, *TEXTS])
def test_the_number_of_an_answer(text, number):
    assert number_in(text) == number


@given(st.text(r"\boxedfract{}$1,.e-/^ ", max_size=60))
def test_any_text_is_read(text):
    assert number_in(text) is None or Fraction(number_in(text)) is not None


@given(
    st.decimals(-(10**12), 10**12, places=3), st.sampled_from(["{}", "{:,}", r"\boxed{{{:,}\text{{ of 2}}}}", "{:e}"])
)
def test_a_written_number_comes_back(value, form):
    assert Fraction(number_in(form.format(value))) == Fraction(value)


def test_a_box_holds_what_its_braces_hold():
    assert boxed_in(r"a \boxed {1 {2} \} 3} b") == r"1 {2} \} 3"
    assert boxed_in(r"\boxed{1") is None
