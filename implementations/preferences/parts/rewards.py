"""Rewards that nobody has to learn: an exact answer, the format of a response, the sentiment of a text by a lexicon.

Answers and format are R1-Zero's rule-based rewards (arXiv 2501.12948, section 2.2.2), with the tags of its template
(table 1). Sentiment stands where the DPO paper has a pre-trained classifier (arXiv 2305.18290, section 6): the compound
score of VADER (Hutto and Gilbert, ICWSM 2014), in [-1, 1].
"""

import re
from collections.abc import Sequence

_BLOCK = r"<{0}>((?:(?!</?(?:think|answer)>).)*)</{0}>"
_FORMAT = re.compile(_BLOCK.format("think") + r"\s*" + _BLOCK.format("answer"), re.DOTALL)
_ANSWER = re.compile(_BLOCK.format("answer"), re.DOTALL)


def has_format(text: str) -> float:
    """1 for one think block, then one answer block, and nothing but white space around and between them; else 0."""
    return float(_FORMAT.fullmatch(text.strip()) is not None)


def answer_in(text: str) -> str | None:
    """What stands in the text's answer block, without white space around it; None unless there is just one block."""
    found = _ANSWER.findall(text)
    return found[0].strip() if len(found) == 1 else None


def exact_answer(text: str, answer: str) -> float:
    """1 when the text's answer block holds just this answer, to the character; else 0. What is around is not judged."""
    return float(answer_in(text) == answer)


class Sentiment:
    """VADER's compound score: the sum s of the words' valences, after its rules, as s / sqrt(s^2 + 15); to 4 digits.

    -1 is most negative, 1 most positive, 0 a text in which no word is rated. Case matters: words in capitals weigh
    more, if not all are. A text's score is kept, as the same texts come again.
    """

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._scores = SentimentIntensityAnalyzer().polarity_scores
        self._known: dict[str, float] = {}

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """The score of each text."""
        for text in texts:
            if text not in self._known:
                self._known[text] = float(self._scores(text)["compound"])
        return [self._known[text] for text in texts]
