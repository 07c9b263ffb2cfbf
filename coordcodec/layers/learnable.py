"""What learning an initialisation takes of a kind of layer, besides what `protocol` asks; see `coordcodec.learning`.

Tensors go by name; those of tasks are each (tasks, ...), those of an initialisation (1, ...).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from coordcodec.clock import Progress
from coordcodec.data import Signal
from coordcodec.recipe import Recipe
from coordcodec.specs import Network

if TYPE_CHECKING:
    from torch import Tensor, device

    Params = dict[str, Tensor]

Sizes = tuple[Mapping[str, Any], Mapping[str, float]]
"""Codes of how large updates are, and quantization ranges, by tensor."""


class Task(Protocol):
    """One part of a signal, and its endless minibatches."""

    values: Tensor
    """Its samples, (n, c)."""

    @property
    def held_bytes(self) -> int:
        """The bytes of memory that it takes."""
        ...

    def resized(self, size: int, seed: int) -> Any:
        """The same with other minibatches, of so many points."""
        ...


class Loss(Protocol):
    """The mean squared errors of tasks on their next minibatches, (tasks,), and their gradients by tensor."""

    losses: Tensor
    gradients: Params

    def curved(self, direction: Mapping[str, Tensor]) -> Params:
        """The product of each task's Hessian with a direction."""
        ...


class Learnable(Protocol):
    """Networks of one Spec, as they are learned."""

    spec: Network

    def draw(self, seed: int, recipe: Recipe, place: device) -> Params:
        """Random parameters to begin with."""
        ...

    def inner_shares(self) -> Mapping[str, float]:
        """Each tensor's inner rate at the beginning, as a share of the largest."""
        ...

    def most_points(self, recipe: Recipe) -> int:
        """The points of a minibatch of a fit."""
        ...

    def outer_rates(self, lr: float) -> list[float]:
        """The learning rate of every tensor, in their order."""
        ...

    def groups(self, tasks: Sequence[Any], place: device, pieces: int) -> list[list[int]]:
        """The numbers of tasks that can be computed together, in at least so many groups if there are enough."""
        ...

    def loss(self, params: Mapping[str, Tensor], tasks: Sequence[Any]) -> Loss:
        """The loss on the next minibatch of every task."""
        ...

    def errors(self, candidates: Sequence[Mapping[str, Tensor]], tasks: Sequence[Any]) -> list[Tensor]:
        """Each task's mean squared error for several parameters, on the same next minibatch: (tasks,) each."""
        ...

    def adapt(self, theta: Mapping[str, Tensor], rates: Sequence[Mapping[str, Tensor]], tasks: Sequence[Any]) -> Params:
        """The parameters after the inner steps."""
        ...

    def fitted(
        self,
        theta: Mapping[str, Tensor],
        rates: Sequence[Mapping[str, Tensor]],
        tasks: Sequence[Any],
        recipe: Recipe,
        steps: int,
        known: Sizes | None = None,
        progress: Progress | None = None,
    ) -> Params:
        """The parameters after the inner steps and so many steps of a fit; known: then updates are held down."""
        ...

    def range_sums(self, params: Mapping[str, Tensor], tasks: Sequence[Any], seed: int) -> dict[str, float]:
        """Sums over tasks, by name, from which `ranges` follow."""
        ...

    def ranges(self, sums: Mapping[str, float], tasks: int) -> dict[str, float]:
        """The quantization range of every tensor, from sums over so many tasks."""
        ...


@runtime_checkable
class LearnableLayer(Protocol):
    """A kind of layer of which initialisations can be learned."""

    kind: str

    def network_for(self, signal: Signal, recipe: Recipe, width: int) -> Network:
        """The network of that width for signals like this one."""
        ...

    def learnable(self, spec: Network) -> Learnable:
        """Networks of that Spec."""
        ...

    def tasks(
        self, signal: Signal, spec: Network, recipe: Recipe, target: int | None, points: int, seed: int, place: device
    ) -> Sequence[Any]:
        """The signal's parts, cut as they are for a file of so many bytes."""
        ...
