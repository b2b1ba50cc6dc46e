"""Between text and tokens: byte-level pieces of a trained tokeniser, or the characters of sums."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

END = "<end>"
TAGS = ("<think>", "</think>", "<answer>", "</answer>")  # of R1-Zero's template (arXiv 2501.12948, table 1)
CHARACTERS = "0123456789+= "


@dataclass(frozen=True)
class Vocabulary:
    """What a language model reads and writes."""

    size: int
    end: int  # ends a response; also the padding
    encode: Callable[[str], list[int]]  # never gives `end`, whatever the text; ValueError for what it has no token for
    decode: Callable[[Sequence[int]], str]  # `end` is no text; bytes that are no UTF-8 become U+FFFD
    begin: tuple[int, ...] = ()  # stands before every text, of a published model that has learned with it


def bpe(tokenizer_json: str) -> Vocabulary:
    """The vocabulary of `features/<dataset>/tokenizer.json`; decoding gives back a text in lower case and form NFC.

    Raises ValueError when this is no tokeniser with an end token.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(tokenizer_json)
    except Exception as error:  # the library raises a bare Exception
        raise ValueError(f"not a tokeniser of the library tokenizers ({error})") from error
    end = tokenizer.token_to_id(END)
    if end is None:
        raise ValueError(f"a tokeniser without the token {END}")
    tokenizer.encode_special_tokens = True  # "<end>" in a text is five characters, not its end

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(tokens: Sequence[int]) -> str:
        return str(tokenizer.decode(list(tokens), skip_special_tokens=True))

    return Vocabulary(tokenizer.get_vocab_size(), end, encode, decode)


def arithmetic_vocabulary() -> Vocabulary:
    """18 tokens: the end, four tags, the ten digits, plus, equals and a blank."""
    pieces = (END, *TAGS, *CHARACTERS)
    numbers = {piece: number for number, piece in enumerate(pieces) if piece != END}

    def encode(text: str) -> list[int]:
        tokens, place = [], 0
        while place < len(text):
            piece = next((piece for piece in numbers if text.startswith(piece, place)), None)
            if piece is None:
                raise ValueError(f"{text[place : place + 10]!r} begins with no token of arithmetic")
            tokens.append(numbers[piece])
            place += len(piece)
        return tokens

    def decode(tokens: Sequence[int]) -> str:
        return "".join(pieces[token] for token in tokens if token != 0)

    return Vocabulary(len(pieces), 0, encode, decode)
