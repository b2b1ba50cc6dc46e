"""DPO: Direct Preference Optimization. Rafailov et al. 2023, arXiv 2305.18290.

The policy that maximises E r - beta KL(pi || pi_ref) is pi* = pi_ref exp(r / beta) / Z, so that a policy is its own
reward model, r(x, y) = beta ln pi(y | x) / pi_ref(y | x) + beta ln Z(x), in which preferences do not see Z:

    loss = - E ln sigmoid(h),    h = beta (ln pi(y_w | x) / pi_ref(y_w | x) - ln pi(y_l | x) / pi_ref(y_l | x))   (7)
    grad = - E beta sigmoid(-h) (grad ln pi(y_w | x) - grad ln pi(y_l | x))

At the start pi = pi_ref, and the loss is ln 2. Log-probabilities of responses are sums over their tokens. Beside it:
label smoothing, for judges that err; the same with a uniform reference; and IPO (arXiv 2310.12036, equation 17), which
regresses the margin h / beta to 1 / (2 beta), where the logistic loss never has enough of a pair that the judge always
answers the same way.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from implementations.common.settings import require_positive
from implementations.preferences.parts.batches import Pairs
from implementations.preferences.parts.models import LanguageModel, Network
from implementations.preferences.parts.protocol import PreferenceMethod
from implementations.preferences.parts.recipe import NAMED, OptimiserName, trunk_alone, whole_model
from implementations.preferences.parts.responses import log_probs

Objective = Literal["sigmoid", "ipo"]


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the paper's IMDb study."""

    beta: float = 0.1  # appendix B; section 6.1 sweeps 0.05, 0.1, 1 and 5
    objective: Objective = "sigmoid"  # equation 7; "ipo": arXiv 2310.12036, where beta is called tau
    label_smoothing: float = 0.0  # share of labels taken to be wrong; author code, not in the paper
    reference_free: bool = False  # author code: a uniform reference; not in the paper
    pairs: int = 150_000  # section 6.1: 6 of each of 25,000 prefixes
    network: Network = "gpt2_large"  # section 6.1
    batch: int = 64  # pairs; appendix B
    optimiser: OptimiserName = "rmsprop"  # appendix B
    learning_rate: float = 1e-6  # appendix B; the author code's default is 5e-7
    warmup: int = 9_600  # pairs; appendix B: 150 updates of 64, linear from 0
    gradient_clip: float | None = 10.0  # largest norm; author code
    ema_half_life: int | None = None  # pairs; the paper names none

    def __post_init__(self) -> None:
        require_positive(self, "beta", "pairs", "batch", "learning_rate", "gradient_clip", "ema_half_life")
        if self.objective not in get_args(Objective) or self.warmup < 0:
            raise ValueError(f"objective is sigmoid or ipo, warmup at least 0, not {self.objective}, {self.warmup}")
        if not 0 <= self.label_smoothing < 0.5 or (self.objective == "ipo" and self.label_smoothing):
            raise ValueError("label_smoothing is in [0, 0.5), and 0 for ipo")


# Each takes ln p of whole responses, (batch,), and gives a loss a pair, (batch,).


def margins(chosen: Tensor, rejected: Tensor, chosen_reference: Tensor, rejected_reference: Tensor) -> Tensor:
    """h / beta: by how much more the policy has raised the chosen response than the rejected one, nats."""
    return (chosen - chosen_reference) - (rejected - rejected_reference)


def sigmoid_loss(
    chosen: Tensor,
    rejected: Tensor,
    chosen_reference: Tensor,
    rejected_reference: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
) -> Tensor:
    """-(1 - s) ln sigmoid(h) - s ln sigmoid(-h), with s the label smoothing; at s = 0 equation 7."""
    h = beta * margins(chosen, rejected, chosen_reference, rejected_reference)
    return -(1 - label_smoothing) * functional.logsigmoid(h) - label_smoothing * functional.logsigmoid(-h)


def ipo_loss(
    chosen: Tensor, rejected: Tensor, chosen_reference: Tensor, rejected_reference: Tensor, beta: float
) -> Tensor:
    """(h / beta - 1 / (2 beta))^2, arXiv 2310.12036, equation 17. Libraries give it ln p a token, and not summed."""
    return (margins(chosen, rejected, chosen_reference, rejected_reference) - 1 / (2 * beta)).square()


def loss(model: LanguageModel, settings: Settings, batch: Pairs, generator: torch.Generator) -> Tensor:
    """The mean over the batch's pairs. Nothing is drawn."""
    chosen, rejected = log_probs(model, batch.chosen).sum(1), log_probs(model, batch.rejected).sum(1)
    references = batch.chosen_reference, batch.rejected_reference
    if settings.reference_free:
        references = torch.zeros_like(chosen), torch.zeros_like(rejected)
    if settings.objective == "ipo":
        return ipo_loss(chosen, rejected, *references, settings.beta).mean()
    return sigmoid_loss(chosen, rejected, *references, settings.beta, settings.label_smoothing).mean()


def accuracy(model: LanguageModel, batch: Pairs) -> Tensor:
    """Share of pairs whose margin is above 0, (): 0 where the policy is the reference, since a tie is no answer."""
    chosen, rejected = log_probs(model, batch.chosen).sum(1), log_probs(model, batch.rejected).sum(1)
    return (margins(chosen, rejected, batch.chosen_reference, batch.rejected_reference) > 0).double().mean()


METHOD = PreferenceMethod(
    settings=Settings, learns_from="pairs", build=trunk_alone, loss=loss, recipe=NAMED, policy=whole_model,
    varies=("network", "beta", "objective"),
)  # fmt: skip
