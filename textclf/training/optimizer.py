"""Adam that leaves alone the embeddings that a batch has nothing of: most of them, in a large vocabulary."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam
from torch.optim.adam import adam


class RowAdam(Adam):
    """Adam (https://arxiv.org/abs/1412.6980); of a sparse gradient's parameter it moves only the rows that have one.

    The means of a row's gradients wait while batches go by without it, as in torch's SparseAdam, which takes three
    times as long. A sparse gradient must have each row once, as that of an embedding has that was given distinct rows.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; a sparse gradient is gone after it."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    self._move_rows(parameter, parameter.grad, group)
                    parameter.grad = None
        return super().step(closure)

    def _move_rows(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        tables = (parameter, state["exp_avg"], state["exp_avg_sq"])
        rows = gradient._indices()[0]  # (R,)
        moved, mean, square = (table.index_select(0, rows) for table in tables)  # each (R, H)
        adam(
            *([moved], [gradient._values()], [mean], [square], [], [state["step"]]),
            **{name: group[name] for name in ("lr", "eps", "weight_decay", "amsgrad", "maximize", "fused")},
            beta1=group["betas"][0],
            beta2=group["betas"][1],
        )
        for table, changed in zip(tables, (moved, mean, square), strict=True):
            table.index_copy_(0, rows, changed)
