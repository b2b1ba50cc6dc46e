"""Rules that reward: what counts as an answer and as the format, and VADER's own examples."""

import pytest

from implementations.preferences.parts.rewards import Sentiment, answer_in, exact_answer, has_format

GOOD = "<think>7+5=12 3+8+1=12</think><answer>122</answer>"
# Text, whether it has the format, what its answer is.
CASES = [
    (GOOD, 1, "122"),
    ("<think></think><answer>122</answer>", 1, "122"),
    ("<think>a\nb</think>\n<answer>\n122 </answer>\n", 1, "122"),
    ("<think>5 < 7 and </ b></think> <answer>122</answer>", 1, "122"),
    ("<answer>122</answer>", 0, "122"),
    ("7+5=12 3+8+1=12 122", 0, None),
    ("", 0, None),
    ("122", 0, None),
    (GOOD + "x", 0, "122"),
    ("x" + GOOD, 0, "122"),
    ("<think>a</think>x<answer>122</answer>", 0, "122"),
    ("<answer>122</answer><think>a</think>", 0, "122"),
    ("<think>a<think>b</think></think><answer>122</answer>", 0, "122"),
    ("<think>a</think><think>b</think><answer>122</answer>", 0, "122"),
    (GOOD + GOOD, 0, None),
    ("<think>a</think><answer>121</answer><answer>122</answer>", 0, None),
    ("<think>a</think><answer><answer>122</answer></answer>", 0, "122"),
    ("<think>a</think><answer>122", 0, None),
    ("<think>a<answer>122</answer>", 0, "122"),
    ("<think>a</think><answer>122</answer", 0, None),
    ("<Think>a</Think><Answer>122</Answer>", 0, None),
    ("<think>a</think><answer></answer>", 1, ""),
]
# The examples in the README of the archive's data and in that of the repository, compound to the digits told there.
# Not the one with emojis: the two disagree on its text.
VADER = [
    ("VADER is smart, handsome, and funny.", 0.8316),
    ("VADER is smart, handsome, and funny!", 0.8439),
    ("VADER is very smart, handsome, and funny.", 0.8545),
    ("VADER is VERY SMART, handsome, and FUNNY.", 0.9227),
    ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
    ("VADER is VERY SMART, uber handsome, and FRIGGIN FUNNY!!!", 0.9469),
    ("VADER is not smart, handsome, nor funny.", -0.7424),
    ("The book was good.", 0.4404),
    ("At least it isn't a horrible book.", 0.431),
    ("The book was only kind of good.", 0.3832),
    ("The plot was good, but the characters are uncompelling and the dialog is not great.", -0.7042),
    ("Today SUX!", -0.5461),
    ("Today only kinda sux! But I'll get by, lol", 0.5249),
    ("Make sure you :) or :D today!", 0.8633),
    ("Not bad at all", 0.431),
    ("", 0.0),
]


@pytest.mark.parametrize(("text", "formed", "answer"), CASES)
def test_format_and_answer(text, formed, answer):
    assert has_format(text) == formed
    assert answer_in(text) == answer
    assert exact_answer(text, "122") == (answer == "122")


@pytest.mark.parametrize("answer", ["12", "1122", "122.0", "0122", "", "1 22"])
def test_an_answer_is_exact(answer):
    assert exact_answer(GOOD, answer) == 0.0


def test_a_long_response_is_judged_at_once():
    # A pattern that backtracks over nested choices would take minutes here.
    text = "<think>" + "</think" * 20_000
    assert (has_format(text), answer_in(text)) == (0.0, None)


def test_sentiment_is_that_of_vaders_examples():
    pytest.importorskip("vaderSentiment")
    sentiment = Sentiment()
    texts = [text for text, _ in VADER]
    assert sentiment(texts) == [score for _, score in VADER]
    assert sentiment(texts[::-1]) == [score for _, score in VADER[::-1]]  # kept by text, not by place
    assert sentiment([]) == []


def test_sentiment_asks_once_for_a_text():
    pytest.importorskip("vaderSentiment")
    sentiment, asked, real = Sentiment(), [], None
    real = sentiment._scores

    def counted(text):
        asked.append(text)
        return real(text)

    sentiment._scores = counted
    sentiment(["good", "bad", "good"])
    sentiment(["bad"])
    assert asked == ["good", "bad"]
