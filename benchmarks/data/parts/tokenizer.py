"""A tokeniser made from a data set's training texts: byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2)."""

from collections.abc import Sequence

END = "<end>"  # ends a text, and fills up what is shorter than its batch


def trained(texts: Sequence[str], pieces: int) -> str:
    """The tokeniser as JSON, in the form of the library `tokenizers`; the same texts give the same bytes.

    At most `pieces` pieces: END, with id 0, the 256 bytes, then the merges that the texts ask for most. Texts are
    brought to Unicode's form NFC and to lower case first, and then cut into words with the blanks before them as GPT-2
    does, across which no piece reaches. Every text can be encoded, and comes back in lower case.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str(pretty=True)) + "\n"
