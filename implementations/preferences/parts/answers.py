r"""The number that a text gives as its answer, as graders of mathematics read it: in the last \boxed{}, else the last.

Boxes are matched brace by brace, as in the MATH benchmark's grader (Hendrycks et al., arXiv 2103.03874) and in
lm-evaluation-harness. The answers are numbers, so no algebra is needed: math-verify, which parses any expression with
SymPy and ANTLR, would be heavy, and its version would decide accuracies.
"""

import re
from fractions import Fraction

LONGEST = 100  # digits; a language model may repeat one without end

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # an escaped brace is none
_WORDS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}")
_UNIT = re.compile(_WORDS.pattern + r"(?:\s*\^\s*\w?)?")  # with its power
_TYPOGRAPHY = {ord(sign): "-" for sign in "\u2212\ufe63\uff0d"} | {ord(sign): r"\," for sign in "\u2009\u202f"}
_NUMERAL = r"(?:\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_PLAIN = rf"(?:{_NUMERAL})(?:[eE][+-]?\d{{1,2}}(?!\d))?"
_NUMBER = re.compile(
    rf"(?<![\w./^])(?P<sign>-?)[$£€]?(?P<minus>-?)(?:(?P<whole>\d+)\s+(?=\d+/\d))?(?P<number>{_PLAIN})"
    rf"(?:/(?P<below>{_PLAIN}))?(?!\d|[eE][+-]?\d)"
)


def boxed_in(text: str) -> str | None:
    r"""What stands in the text's last \boxed{} whose braces close; None where there is none."""
    for box in reversed(list(_BOX.finditer(text))):
        depth = 1
        for brace in _BRACE.finditer(text, box.end()):
            depth += {"{": 1, "}": -1}.get(brace.group(), 0)
            if depth == 0:
                return text[box.end() : brace.start()]
    return None


def number_in(text: str) -> str | None:
    r"""The last number of what stands in the text's last \boxed{}, or of the text where nothing is boxed.

    Plain: without separators of thousands, a sign of currency or of per cent, or zeros that end a fraction; a quotient
    where no decimal is exact (`1/3`). Words and units in braces of their own count only where there is no other number.
    None where there is none.
    """
    boxed = boxed_in(text)
    said = _flat(_WORDS.sub(_numeral, text if boxed is None else boxed), boxed is not None)
    for read in (_UNIT.sub(" ", said), _WORDS.sub(r" \1 ", said)):
        if found := list(_NUMBER.finditer(read)):
            return _plain(found[-1])
    return None


def _numeral(words: re.Match[str]) -> str:
    """A number that is set in bold or upright, as it would stand without; other words as they are."""
    return words[1].strip() if _NUMBER.fullmatch(words[1].strip()) else words[0]


def _flat(text: str, boxed: bool) -> str:
    """LaTeX's ways to write a number in the plain one."""
    text = text.translate(_TYPOGRAPHY).replace(r"\!", "").replace("{,}", ",")
    text = re.sub(r"(?<=\d)\\[,;: ](?=\d{3}(?!\d))", "", text)  # a thin space between thousands
    text = re.sub(r"\\([$%])", r"\1", text)
    text = re.sub(r"\\[dtc]?frac\s*(\d)\s*(\d)", r" \1/\2", text)
    text = re.sub(r"(-?)\s*\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r" \1\2/\3", text)
    text = re.sub(r"\s*(?:\\times|\\cdot|×)\s*10\s*\^\s*\{?\s*([+-]?\d+)\s*\}?", r"e\1", text)
    text = re.sub(r"\^\s*\{[^{}]*\}", "^", text)  # powers and indices are no numbers of their own
    text = re.sub(r"_\s*\{[^{}]*\}", "_", text)
    return re.sub(r"(^|=)\s*-\s+", r"\1-", text.strip()) if boxed else text


def _plain(found: re.Match[str]) -> str | None:
    if len(found.group()) > LONGEST:
        return None
    value, below = _value(found["number"]), _value(found["below"] or "1")
    if below == 0:
        return None
    value = (value / below + int(found["whole"] or 0)) * (-1 if found["sign"] or found["minus"] else 1)
    places = next((places for places in range(2 * LONGEST) if 10**places % value.denominator == 0), None)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, rest = digits[: len(digits) - places], digits[len(digits) - places :]
    return ("-" if value < 0 else "") + (f"{whole}.{rest}" if rest else whole)


def _value(numeral: str) -> Fraction:
    return Fraction(numeral.replace(",", ""))
