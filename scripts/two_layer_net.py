"""One small network trained in six ways, from gradients derived by hand to torch.nn with Adam.

    y_pred = relu(x @ w1) @ w2          no biases
    loss   = sum((y_pred - y) ** 2)     over all examples and all outputs

    N        64   examples, all of them in every step
    D_in   1000   numbers that describe an example
    H       100   hidden units
    D_out    10   numbers to predict for an example

Both x and y are noise, so there is nothing to generalise: the network can only memorise them. That makes it easy to
see the training itself. Each way gets the same data and the same initial weights:

    1  tensors      forward and backward pass written by hand
    2  autograd     PyTorch computes the backward pass
    3  function     a custom operation with its own derivative
    4  sequential   layers own the weights
    5  module       a custom class owns the layers, an optimizer updates the weights
    6  adam         the same class, another optimizer

Read them in this order; each hands one more task to PyTorch. The first five are the same arithmetic, so their losses
agree except for rounding, which becomes visible when the loss is tiny: y_pred - y is then a difference of nearly equal
numbers. Adam takes other steps, so its losses differ after step 0.

After Justin Johnson, "Learning PyTorch with Examples": the text is at
https://pytorch.org/tutorials/beginner/pytorch_with_examples.html, which by now fits a polynomial in place of this
network; the network is still at https://github.com/jcjohnson/pytorch-examples
"""

# PyTorch does not annotate backward() and apply().
# mypy: allow-untyped-calls

import time
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import click
import torch
from torch import Tensor, nn

N, D_in, H, D_out = 64, 1000, 100, 10


class Data(NamedTuple):
    """The training data: predict each row of y from the same row of x."""

    x: Tensor  # (N, D_in)
    y: Tensor  # (N, D_out)


class Weights(NamedTuple):
    """The initial weights. Each way copies them and leaves the originals unchanged."""

    w1: Tensor  # (D_in, H)
    w2: Tensor  # (H, D_out)


def make_problem(seed: int, device: torch.device, dtype: torch.dtype = torch.float32) -> tuple[Data, Weights]:
    """Draw data and initial weights from the normal distribution, on the CPU so that every device gets the same."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype).to(device)

    return Data(x=draw(N, D_in), y=draw(N, D_out)), Weights(w1=draw(D_in, H), w2=draw(H, D_out))


def to_floats(losses: list[Tensor]) -> list[float]:
    """Convert all losses at once: converting each loss in its step would make the CPU wait for the GPU each time."""
    return torch.stack(losses).tolist()


# --- 1: tensors -------------------------------------------------------------------------------------------------------


def train_with_tensors(data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
    """Write both passes by hand: forward to the loss, then backward by the chain rule, last line first.

    https://pytorch.org/tutorials/beginner/pytorch_with_examples.html#pytorch-tensors
    """
    x, y = data
    w1, w2 = start.w1.clone(), start.w2.clone()
    losses = []
    for _ in range(steps):
        h = x @ w1  # (N, H)
        h_relu = h.clamp(min=0)  # (N, H)
        y_pred = h_relu @ w2  # (N, D_out)
        losses.append((y_pred - y).square().sum())  # ()

        # The gradient of the loss with respect to a tensor has the shape of that tensor.
        grad_y_pred = 2 * (y_pred - y)  # (N, D_out)
        grad_w2 = h_relu.T @ grad_y_pred  # (H, D_out)
        grad_h_relu = grad_y_pred @ w2.T  # (N, H)
        grad_h = grad_h_relu.masked_fill(h <= 0, 0)  # (N, H), the gradient is 0 where relu is flat
        grad_w1 = x.T @ grad_h  # (D_in, H)

        w1 -= learning_rate * grad_w1
        w2 -= learning_rate * grad_w2
    return to_floats(losses)


# --- 2: autograd ------------------------------------------------------------------------------------------------------


@torch.no_grad()  # the update itself is not differentiated
def descend(weights: Iterable[Tensor], learning_rate: float) -> None:
    """Move each weight a little against its gradient, in place: plain gradient descent."""
    for weight in weights:
        if weight.grad is not None:
            weight.sub_(learning_rate * weight.grad)
            weight.grad = None  # otherwise the next backward() would add to it


def train_with_autograd(data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
    """Write only the forward pass: autograd records it, and loss.backward() puts the gradients in w1.grad and w2.grad.

    https://pytorch.org/tutorials/beginner/pytorch_with_examples.html#pytorch-tensors-and-autograd
    """
    x, y = data
    w1, w2 = start.w1.clone().requires_grad_(), start.w2.clone().requires_grad_()
    losses = []
    for _ in range(steps):
        h_relu = (x @ w1).clamp(min=0)  # (N, H)
        y_pred = h_relu @ w2  # (N, D_out)
        loss = (y_pred - y).square().sum()  # ()
        losses.append(loss.detach())  # without its history, which would keep every step in memory

        loss.backward()
        descend((w1, w2), learning_rate)
    return to_floats(losses)


# --- 3: a custom function ---------------------------------------------------------------------------------------------


class MyReLU(torch.autograd.Function):
    """max(h, 0), and how its gradient flows back.

    Rectified linear units: Glorot, Bordes and Bengio (2011), https://proceedings.mlr.press/v15/glorot11a.html
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:
        """Compute the output from the input, and save in ctx what backward will need."""
        ctx.save_for_backward(h)
        return h.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        """The gradient with respect to the input, given that with respect to the output; 0 at the corner."""
        (h,) = ctx.saved_tensors
        return grad_output.masked_fill(h <= 0, 0)


def train_with_function(data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
    """Use MyReLU in the forward pass; autograd calls its backward() in the backward pass.

    https://pytorch.org/tutorials/beginner/pytorch_with_examples.html#pytorch-defining-new-autograd-functions
    """
    x, y = data
    w1, w2 = start.w1.clone().requires_grad_(), start.w2.clone().requires_grad_()
    losses = []
    for _ in range(steps):
        h_relu = MyReLU.apply(x @ w1)  # (N, H)
        y_pred = h_relu @ w2  # (N, D_out)
        loss = (y_pred - y).square().sum()  # ()
        losses.append(loss.detach())

        loss.backward()
        descend((w1, w2), learning_rate)
    return to_floats(losses)


# --- 4: nn.Sequential -------------------------------------------------------------------------------------------------


def linear(weight: Tensor) -> nn.Linear:
    """Return the layer that computes `input @ weight`. Linear stores its weight transposed: (out, in)."""
    inputs, outputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias=False, device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
    return layer


def train_with_sequential(data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
    """Stack predefined layers, which own the weights and return them as model.parameters().

    https://pytorch.org/tutorials/beginner/pytorch_with_examples.html#pytorch-nn
    """
    model = nn.Sequential(linear(start.w1), nn.ReLU(), linear(start.w2))
    sum_of_squares = nn.MSELoss(reduction="sum")
    losses = []
    for _ in range(steps):
        y_pred = model(data.x)  # (N, D_out)
        loss = sum_of_squares(y_pred, data.y)  # ()
        losses.append(loss.detach())

        loss.backward()
        descend(model.parameters(), learning_rate)
    return to_floats(losses)


# --- 5: nn.Module and an optimizer ------------------------------------------------------------------------------------


class TwoLayerNet(nn.Module):
    """The network as a class: __init__ defines the layers, forward the computation."""

    def __init__(self, start: Weights) -> None:
        super().__init__()
        self.hidden = linear(start.w1)
        self.output = linear(start.w2)

    def forward(self, x: Tensor) -> Tensor:
        """Predict y from x: (N, D_in) -> (N, D_out)."""
        h_relu = self.hidden(x).clamp(min=0)  # (N, H)
        y_pred: Tensor = self.output(h_relu)  # (N, D_out)
        return y_pred


def optimize(model: nn.Module, optimizer: torch.optim.Optimizer, data: Data, steps: int) -> list[float]:
    """Train any model with any optimizer: the loop at the centre of almost every PyTorch program."""
    sum_of_squares = nn.MSELoss(reduction="sum")
    losses = []
    for _ in range(steps):
        y_pred = model(data.x)  # (N, D_out)
        loss = sum_of_squares(y_pred, data.y)  # ()
        losses.append(loss.detach())

        optimizer.zero_grad()  # clear the gradients of the previous step
        loss.backward()  # compute the gradients of this step
        optimizer.step()  # update the weights
    return to_floats(losses)


def train_with_module(data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
    """Write the network as a custom class, and leave the update to an optimizer.

    https://pytorch.org/tutorials/beginner/pytorch_with_examples.html#pytorch-custom-nn-modules
    """
    model = TwoLayerNet(start)
    return optimize(model, torch.optim.SGD(model.parameters(), lr=learning_rate), data, steps)


# --- 6: Adam ----------------------------------------------------------------------------------------------------------


def train_with_adam(data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
    """Change one word: Adam divides the step of each weight by the recent magnitude of its gradients.

    So a step changes a weight by about learning_rate, whether its gradient is large or small, and 500 steps of 1e-4 are
    too few for these weights, which start around 1: try --adam-learning-rate 1e-2. The tutorial uses 1e-4 because its
    layers start with far smaller weights.

    https://pytorch.org/tutorials/beginner/pytorch_with_examples.html#pytorch-optim
    Kingma and Ba (2015), https://arxiv.org/abs/1412.6980
    """
    model = TwoLayerNet(start)
    return optimize(model, torch.optim.Adam(model.parameters(), lr=learning_rate), data, steps)


# --- the comparison ---------------------------------------------------------------------------------------------------


class Way(Protocol):
    """The signature of the training functions above."""

    def __call__(self, data: Data, start: Weights, *, steps: int, learning_rate: float) -> list[float]:
        """Train; return the loss before each step, the first one that of the initial weights."""


GRADIENT_DESCENT: dict[str, Way] = {
    "tensors": train_with_tensors,
    "autograd": train_with_autograd,
    "function": train_with_function,
    "sequential": train_with_sequential,
    "module": train_with_module,
}


class Result(NamedTuple):
    """Losses and time of one way."""

    losses: list[float]
    seconds: float


def measure(train: Way, data: Data, start: Weights, *, steps: int, learning_rate: float) -> Result:
    """Train and measure the time, after one step for what PyTorch does only once, such as loading kernels."""
    train(data, start, steps=1, learning_rate=learning_rate)
    began = time.perf_counter()
    losses = train(data, start, steps=steps, learning_rate=learning_rate)
    return Result(losses, time.perf_counter() - began)


def format_table(results: dict[str, Result], steps: int) -> str:
    """Format a table with a row per way and a column for some early steps and the last."""
    shown = [step for step in (0, 1, 2, 10, 100, 1000, 10000) if step < steps - 1] + [steps - 1]
    lines = [f"{'loss at step':<12}" + "".join(f"{step:>12}" for step in shown) + f"{'seconds':>10}"]
    for name, (losses, seconds) in results.items():
        lines.append(f"{name:<12}" + "".join(f"{losses[step]:>12.4e}" for step in shown) + f"{seconds:>10.2f}")
    return "\n".join(lines)


def resolve_device(_context: click.Context, _option: click.Parameter, name: str) -> torch.device:
    """Convert the value of --device to a device of this machine; auto is the first available."""
    available = []
    if torch.cuda.is_available():
        available += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        available.append("mps")
    available.append("cpu")
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise click.BadParameter(f"this machine has no {name!r}; choose auto, {', '.join(available)}.")
    return torch.device(name)


POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(context_settings={"show_default": True})
@click.option("--device", default="auto", callback=resolve_device, help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--steps", default=500, type=click.IntRange(min=1), help="Number of weight updates.")
@click.option("--learning-rate", default=1e-6, type=POSITIVE, help="Learning rate of gradient descent, the first five.")
@click.option("--adam-learning-rate", default=1e-4, type=POSITIVE, help="Learning rate of Adam.")
@click.option("--seed", default=0, type=click.IntRange(0, 2**32 - 1), help="Random seed for data and initial weights.")
def main(device: torch.device, steps: int, learning_rate: float, adam_learning_rate: float, seed: int) -> None:
    """Train one small network in six ways and compare their losses.

    Example: python scripts/two_layer_net.py --steps 1000 --device cpu
    """
    data, start = make_problem(seed, device)
    results = {
        name: measure(train, data, start, steps=steps, learning_rate=learning_rate)
        for name, train in GRADIENT_DESCENT.items()
    }
    results["adam"] = measure(train_with_adam, data, start, steps=steps, learning_rate=adam_learning_rate)
    click.echo(format_table(results, steps))


if __name__ == "__main__":
    main()
