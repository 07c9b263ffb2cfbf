"""Optimisers for the small matrices of a SIREN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

REFRESH = 10
"""Steps between refreshes of SOAP's eigenbases; in the first 20 steps they are refreshed every time."""

LONGEST = 1.5
"""Largest update of an entry in SOAP's eigenbasis, in learning rates. A fixed basis would bound it (as Adam's), but
where a refresh turns momentum towards directions without any second moment yet, it is boundless."""

DAMPING = 0.1
"""SOAP's epsilon, as a share of the root mean square of a matrix' second moments. Directions that are all but flat
move less for it, and a larger learning rate is stable: kodim05, width 64, 1000 steps, gets 17.1 dB at a rate of 0.08
without, 22.4 dB with it."""


def copy_state(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Copy tensors by name. Raises KeyError for one that is not there, ValueError for one of another shape."""
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            raise ValueError(f"{name} must be {tuple(tensor.shape)}, got {tuple(state[name].shape)}")
        tensor.copy_(state[name])


def roots(tensors: list[Tensor]) -> list[Tensor]:
    """The square roots of float32 tensors, correctly rounded on a CPU.

    MKL's differ in the last bit between the makers of processors, and with them every file.
    """
    if tensors and tensors[0].device.type != "cpu":
        return list(torch._foreach_sqrt(tensors))
    return [tensor.to(torch.float64).sqrt_().to(tensor.dtype) for tensor in tensors]


class Adam:
    """Adam (Kingma & Ba 2015) on a list of tensors, without weight decay."""

    betas = (0.9, 0.99)

    def __init__(self, params: list[Tensor]) -> None:
        self.params, self.count = params, 0
        self.first = [torch.zeros_like(p) for p in params]
        self.second = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, gradients: list[Tensor], rates: list[float]) -> None:
        """One update with a learning rate per tensor."""
        self.count += 1
        beta1, beta2 = self.betas
        torch._foreach_lerp_(self.first, gradients, 1 - beta1)
        torch._foreach_mul_(self.second, beta2)
        torch._foreach_addcmul_(self.second, gradients, gradients, value=1 - beta2)
        scale = (1 - beta2**self.count) ** 0.5 / (1 - beta1**self.count)
        divisors = roots(self.second)
        torch._foreach_add_(divisors, 1e-12)
        updates = torch._foreach_div(self.first, divisors)
        torch._foreach_mul_(updates, [-rate * scale for rate in rates])
        torch._foreach_add_(self.params, updates)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on besides the parameters, by name."""
        first = {f"first{i}": tensor for i, tensor in enumerate(self.first)}
        second = {f"second{i}": tensor for i, tensor in enumerate(self.second)}
        return {"count": torch.tensor(self.count), **first, **second}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned. Raises KeyError or ValueError for another network's state."""
        self.count = int(state["count"])
        copy_state({f"first{i}": t for i, t in enumerate(self.first)}, state)
        copy_state({f"second{i}": t for i, t in enumerate(self.second)}, state)


@dataclass
class _Side:
    """One Kronecker factor of a group of matrices: its covariance and the basis that diagonalises it."""

    covariance: Tensor
    basis: Tensor


@dataclass
class _Group:
    """SOAP's state for matrices of one shape, stacked: (count, rows, columns)."""

    first: Tensor
    second: Tensor
    sides: tuple[_Side, _Side]

    @staticmethod
    def of(gradient: Tensor, beta: float) -> _Group:
        """The state after a first gradient."""
        sides = []
        for covariance in (gradient @ gradient.mT, gradient.mT @ gradient):
            # A ridge keeps eigh convergent when the first gradient is all but singular.
            ridge = torch.diag_embed(covariance.diagonal(dim1=-2, dim2=-1).mean(-1, keepdim=True) * 1e-6 + 1e-30)
            size = covariance.shape[-1]
            basis = torch.linalg.eigh(covariance + ridge * torch.eye(size, device=covariance.device))[1].flip(-1)
            sides.append(_Side(covariance * (1 - beta), basis))
        return _Group(torch.zeros_like(gradient), torch.zeros_like(gradient), (sides[0], sides[1]))

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name."""
        left, right = self.sides
        sides = {
            "left": left.covariance,
            "left_basis": left.basis,
            "right": right.covariance,
            "right_basis": right.basis,
        }
        return {"first": self.first, "second": self.second, **sides}

    def update(self, gradient: Tensor, betas: tuple[float, float], scale: float) -> Tensor:
        left, right = self.sides
        self.first.lerp_(gradient, 1 - betas[0])
        # bmm, not @: for transposed stacks the latter makes copies.
        rotated = torch.bmm(torch.bmm(left.basis.mT, gradient), right.basis)
        momentum = torch.bmm(torch.bmm(left.basis.mT, self.first), right.basis)
        self.second.mul_(betas[1]).addcmul_(rotated, rotated, value=1 - betas[1])
        damping, divisor = roots([self.second.mean((1, 2), keepdim=True), self.second])
        divisor.add_(damping.mul_(DAMPING).add_(1e-20))
        update = momentum.div_(divisor).mul_(scale).clamp_(-LONGEST, LONGEST)
        return torch.bmm(torch.bmm(left.basis, update), right.basis.mT)

    def observe(self, gradient: Tensor, beta: float) -> None:
        self.sides[0].covariance.baddbmm_(gradient, gradient.mT, beta=beta, alpha=1 - beta)
        self.sides[1].covariance.baddbmm_(gradient.mT, gradient, beta=beta, alpha=1 - beta)

    def refresh(self) -> None:
        """One step of orthogonal iteration per side, its columns sorted by their eigenvalues first."""
        for axis, side in ((1, self.sides[0]), (2, self.sides[1])):
            values = (side.basis * torch.bmm(side.covariance, side.basis)).sum(1)
            order = values.argsort(dim=-1, descending=True)
            basis = side.basis.gather(2, order[:, None, :].expand_as(side.basis))
            index = order[:, :, None] if axis == 1 else order[:, None, :]
            self.second = self.second.gather(axis, index.expand_as(self.second))
            side.basis = torch.linalg.qr(torch.bmm(side.covariance, basis))[0]


class Soap:
    """SOAP (Vyas et al. 2025, algorithm 3): Adam in the eigenbasis of Shampoo's preconditioner.

    Weights are (parts, out, in); those of one shape, of all layers and parts, are updated together. Biases
    (parts, out) get plain Adam.
    """

    betas = (0.95, 0.95)

    def __init__(self, params: list[Tensor]) -> None:
        self.params, self.count = params, 0
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, p in enumerate(params):
            if p.ndim == 3:
                by_shape.setdefault(tuple(p.shape), []).append(i)
        self.members = list(by_shape.values())
        self.vectors = [i for i, p in enumerate(params) if p.ndim < 3]
        self.groups: list[_Group] = []
        self.adam = Adam([params[i] for i in self.vectors])
        self.adam.betas = self.betas

    @torch.no_grad()
    def step(self, gradients: list[Tensor], rates: list[float]) -> None:
        """One update with a learning rate per tensor. The first call only sets up the bases of the matrices."""
        self.count += 1
        beta1, beta2 = self.betas
        self.adam.step([gradients[i] for i in self.vectors], [rates[i] for i in self.vectors])
        stacked = [torch.cat([gradients[i] for i in members]) for members in self.members]
        if not self.groups:
            self.groups = [_Group.of(gradient, beta2) for gradient in stacked]
            return
        scale = (1 - beta2**self.count) ** 0.5 / (1 - beta1**self.count)
        for members, group, gradient in zip(self.members, self.groups, stacked, strict=True):
            update = group.update(gradient, self.betas, scale)
            for i, own in zip(members, update.split(len(self.params[members[0]])), strict=True):
                self.params[i].sub_(own, alpha=rates[i])
            group.observe(gradient, beta2)
            if self.count % REFRESH == 0 or self.count <= 20:
                group.refresh()

    def state(self) -> dict[str, Tensor]:
        """See `Adam.state`."""
        found = {f"vectors.{name}": tensor for name, tensor in self.adam.state().items()}
        for i, group in enumerate(self.groups):
            found |= {f"group{i}.{name}": tensor for name, tensor in group.tensors().items()}
        return {"count": torch.tensor(self.count), **found}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Adam.restore`."""
        self.count = int(state["count"])
        self.adam.restore(
            {name.removeprefix("vectors."): t for name, t in state.items() if name.startswith("vectors.")}
        )
        stacked = [torch.cat([self.params[i] for i in members]) for members in self.members]
        self.groups = [_Group.of(torch.zeros_like(tensor), 0.0) for tensor in stacked if self.count]
        for i, group in enumerate(self.groups):
            copy_state({f"group{i}.{name}": tensor for name, tensor in group.tensors().items()}, state)


OPTIMIZERS: dict[str, type[Adam] | type[Soap]] = {"adam": Adam, "soap": Soap}
