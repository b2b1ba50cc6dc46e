"""Film reviews: 10,605 snippets of English, most of them one sentence, each with the mean of 15 to 29 ratings.

Source: `hutto_ICWSM_2014.tar.gz` inside the source archive of the Python package vaderSentiment 3.3.2, in it
`movieReviewSnippets_GroundTruth.txt`: an id, a mean rating from -4 (extremely negative) to 4 and the snippet, tab
separated, UTF-8. They are sentences from rotten.tomatoes.com in Pang and Lee's data (2004, says the archive; many stand
in their sentence data of 2005), with ratings collected by Hutto and Gilbert (2014). Licence: the package's, MIT (C.J.
Hutto); the archive states none of its own for the data, and asks for a citation of the paper.
Text: runs of white space become one blank (a dash was published as blanks), nothing else is changed; a quotation mark
is two apostrophes there, and is left so. Tokenisers take lower case (`features/reviews/tokenizer.json`).
Split: snippet i, counted from 0 in the published order, is test when i mod 10 is 0, valid when it is 1, train
otherwise: 8,483, 1,061, 1,061. There is no official split. Two snippets stand there twice.
"""

from pathlib import Path

from benchmarks.data.parts.packages import PythonSource, SourceArchive
from benchmarks.data.parts.published import Contents, Files
from benchmarks.data.parts.sources import LocalFolder
from benchmarks.data.parts.texts import TextDataset
from benchmarks.files.errors import input_error

FILE = "movieReviewSnippets_GroundTruth.txt"


def decode(folder: Path) -> Contents:
    """Records of `rating` and `text` by the rule of the split; InputError, naming the line, for another form."""
    path = folder / FILE
    contents: Contents = {"train": [], "valid": [], "test": []}
    try:
        lines = path.read_bytes().decode().rstrip("\r\n").split("\r\n")
    except UnicodeDecodeError as error:
        raise input_error(path, "", f"bytes that are not UTF-8 ({error})", "the published file is needed") from error
    for place, line in enumerate(lines):
        try:
            number, rating, text = line.split("\t")
            record = {"rating": float(rating), "text": " ".join(text.split())}
            right = int(number) == place + 1
        except ValueError:
            right = False
        if not right:
            raise input_error(path, f"line {place + 1}", line, "its number, a rating and a snippet are needed")
        contents[{0: "test", 1: "valid"}.get(place % 10, "train")].append(record)
    return contents


FILES = Files(md5={FILE: None}, decode=decode, folder="hutto_ICWSM_2014")
ARCHIVE = SourceArchive("vaderSentiment-3.3.2.tar.gz", FILES, "additional_resources/hutto_ICWSM_2014.tar.gz")

DATASET = TextDataset(
    name="reviews",
    sources=(LocalFolder("reviews", (FILES, ARCHIVE)), PythonSource("vaderSentiment==3.3.2", ARCHIVE)),
    sha256={
        "train": "3a1d7c10adf10ae849d0753fa1179f53c48a73c26a3641c0102550a3d2ead3c4",
        "valid": "ddd1fdbf5518ad46b07a8c423c97032a8eb2324e8924b98f2fc1adcff13a794e",
        "test": "189053ffdc072fd57e73b4530f954c2c98db39917a37623a4275bc840ddb9787",
    },
    splits={"train": 8_483, "valid": 1_061, "test": 1_061},
    fields={"rating": float, "text": str},
    megabytes=1.5,
    licence="MIT",
    citation="C.J. Hutto and E. Gilbert, VADER: A parsimonious rule-based model for sentiment analysis of social media "
    "text, ICWSM 2014; snippets from B. Pang and L. Lee, ACL 2004",
)
