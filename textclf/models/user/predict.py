"""The forward pass of a user's network through torch, where other models have one in numpy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from textclf.models.arithmetic import Floats, Weights
from textclf.models.sequences.batch import Batch
from textclf.models.sequences.features import SequenceInputs
from textclf.models.user.code import Code, naming_line
from textclf.models.user.trial import build, checked
from textclf.system import startup


class TorchForward:
    """Parameter arrays by name and padded tokens to logits (B, C); the network is made when it is first needed."""

    def __init__(self, code: Code, arguments: Mapping[str, Any]) -> None:
        self._code = code
        self._arguments = arguments
        self._made: tuple[Weights, nn.Module] | None = None  # for which weights

    def __call__(self, weights: Weights, inputs: SequenceInputs) -> Floats:
        """Logits, the mean of all views; raises UsageError, with the line of the user's file, if it fails."""
        startup.sound_after_fork()
        network = self._network(weights)
        documents = len(inputs.lengths)
        batch = Batch(torch.from_numpy(inputs.tokens), torch.from_numpy(inputs.lengths), torch.full((documents,), -1))
        with torch.inference_mode(), naming_line(self._code.file, otherwise=self._code.line("forward")):
            logits = checked(self._code, network(batch), documents=documents, classes=self._arguments["classes"])
            mean: Floats = logits.float().mean(dim=0).numpy()
        return mean

    def _network(self, weights: Weights) -> nn.Module:
        """The network with these weights; raises ValueError if they are not its own."""
        if self._made is None or self._made[0] is not weights:
            if self._shapes() not in (None, {name: array.shape for name, array in weights.items()}):
                raise ValueError(f"the weights are not those of {self._code.network.__name__}")
            network = build(self._code, **self._arguments).eval()
            try:
                network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
            except RuntimeError as error:
                raise ValueError(f"the weights are not those of {self._code.network.__name__}") from error
            self._made = weights, network
        return self._made[1]

    def _shapes(self) -> dict[str, tuple[int, ...]] | None:
        """The shapes of the weights, computed without memory for them: a damaged config.json may ask for any size.

        None where the constructor needs numbers, which the device "meta" does not have.
        """
        try:
            with torch.device("meta"):
                network = self._code.network(**self._arguments)
        except Exception:  # the network itself will tell what is wrong
            return None
        return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
