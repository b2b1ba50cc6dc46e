"""What a language model says of responses, in one forward pass that does no work for what nobody reads.

The columns past the last response's end are not read, and the output matrix, the largest product of a small model,
meets only the places that predict a token of a response.
"""

from torch import Tensor

from implementations.preferences.parts.models import LanguageModel
from implementations.preferences.parts.sequences import Sequences, log_probs_of


def read(sequences: Sequences) -> Tensor:
    """The tokens that a forward pass needs, (batch, places): all up to the last one that any response predicts from."""
    return sequences.tokens[:, : int(sequences.end.max()) - 1]


def spread(found: Tensor, sequences: Sequences) -> Tensor:
    """Values of the first places, (batch, places), as (batch, length - 1): 0 off the response."""
    mask = sequences.mask()
    places = found.new_zeros(mask.shape)
    places[:, : found.shape[1]] = found
    return places.masked_fill(~mask, 0.0)


def log_probs_from_hidden(model: LanguageModel, hidden: Tensor, sequences: Sequences) -> Tensor:
    """`log_probs`, from what `model.hidden` gave for `read(sequences)`, (batch, places, width)."""
    mask = sequences.mask()
    found = log_probs_of(model.logits(hidden[mask[:, : hidden.shape[1]]]), sequences.tokens[:, 1:][mask])
    return found.new_zeros(mask.shape).masked_scatter(mask, found)


def log_probs(model: LanguageModel, sequences: Sequences) -> Tensor:
    """ln p of each token of the response, (batch, length - 1), 0 off the response: `token_log_probs` of the model.

    float32 at least, also where the model computes in half precision.
    """
    return log_probs_from_hidden(model, model.hidden(read(sequences)), sequences)
