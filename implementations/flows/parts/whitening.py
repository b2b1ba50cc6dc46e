"""Linear whitening inside a flow, with the log-determinant that likelihoods of different preprocessing need."""

import torch
from torch import Tensor

from implementations.flows.parts.flow import DataDependent


class ZcaWhitening(DataDependent):
    """y = W (x - mean) with W = (C + ridge I)^(-1/2), the symmetric square root (zero-phase whitening).

    Mean and covariance C are those of the examples that `Flow.initialise` shows (Bell and Sejnowski 1997,
    doi 10.1016/S0042-6989(97)00121-1); before, the map is the identity. The ridge, in squared units of x, keeps
    directions without variance finite: far below the smallest eigenvalue of C it changes nothing, and directions with
    less variance than the ridge stay smaller than the others. The density stays exact for every ridge.
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, dimensions: int, ridge: float):
        super().__init__()
        self.ridge = ridge
        self.register_buffer("mean", torch.zeros(dimensions))
        # W = L L^T. Rounded to float32 with the rest of a model, L still gives W, its inverse and its determinant to
        # the last digit of whatever precision the model is then read in; W and its inverse stored apart would not.
        self.register_buffer("factor", torch.eye(dimensions))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.initialising:
            self._measure(x)
        # In float64, which neither autocast nor TF32 rounds: rows of W are large and cancel over neighbouring pixels.
        factor = self.factor.double()
        y = (x.double() - self.mean) @ factor @ factor.T
        return y.to(x.dtype), self._log_determinant(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cholesky_solve(y.double().T, self.factor.double()).T + self.mean
        return x.to(y.dtype), -self._log_determinant(y)

    def _log_determinant(self, like: Tensor) -> Tensor:
        return (2 * self.factor.diagonal().double().log().sum()).to(like.dtype).expand(len(like))

    def _measure(self, x: Tensor) -> None:
        examples = x.double()
        mean = examples.mean(0)
        centred = examples - mean
        variances, directions = torch.linalg.eigh(centred.T @ centred / len(x))
        # Rounding leaves variances of -1e-17 where there is none.
        scales = (variances.clamp_min(0.0) + self.ridge).rsqrt()
        self.mean.copy_(mean)
        self.factor.copy_(torch.linalg.cholesky((directions * scales) @ directions.T))
