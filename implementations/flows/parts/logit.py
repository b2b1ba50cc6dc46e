"""From the unit interval to the real line, before a flow whose maps have no bounds."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid


class Logit(nn.Module):
    """y = logit(alpha + (1 - alpha) x) a coordinate (RealNVP, arXiv 1605.08803, section 4.1).

    x in [0, 1); the inverse gives values in (-alpha / (1 - alpha), 1), below 0 where no data are.
    logdet = sum log(1 - alpha) - log p - log(1 - p) with p = alpha + (1 - alpha) x.
    """

    def __init__(self, alpha: float):
        super().__init__()
        if not 0 < alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, not {alpha}")
        self.alpha = alpha

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # 1 - p = (1 - alpha)(1 - x) keeps its digits where p rounds to 1.
        log_p = torch.log(self.alpha + (1 - self.alpha) * x)
        log_q = math.log1p(-self.alpha) + torch.log1p(-x)
        logdet = (math.log1p(-self.alpha) - log_p - log_q).flatten(1).sum(1)
        return log_p - log_q, logdet

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = (torch.sigmoid(y) - self.alpha) / (1 - self.alpha)
        logdet = (logsigmoid(y) + logsigmoid(-y) - math.log1p(-self.alpha)).flatten(1).sum(1)
        return x, logdet
