"""The six ways of scripts/two_layer_net.py: five are the same arithmetic, the sixth is Adam."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner
from torch.testing import assert_close

SCRIPT = Path(__file__).parents[1] / "scripts" / "two_layer_net.py"
CPU = torch.device("cpu")
NAMES = ["tensors", "autograd", "function", "sequential", "module", "adam"]

# The ways add up in different orders, so they differ by rounding. How much that may be is measured: moving the
# starting weights by one unit in the last place does as much. Near the end y_pred - y is a difference of nearly equal
# numbers, so the loss loses digits as it goes to 0, and the absolute tolerance takes over. Over 20 seeds of 500 steps
# the ways used at most 1% (float64) and 10% (float32) of these tolerances; the rest is for other processors.
FLOAT64 = {"rtol": 1e-9, "atol": 1e-12}
FLOAT32 = {"rtol": 1e-3, "atol": 1e-3}


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("two_layer_net", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


net = load_script()
WAYS = {**net.GRADIENT_DESCENT, "adam": net.train_with_adam}


def train(name, problem, *, steps):
    """Train in one of the six ways, at the learning rate that is the script's default."""
    losses = WAYS[name](*problem, steps=steps, learning_rate=1e-4 if name == "adam" else 1e-6)
    return torch.tensor(losses, dtype=torch.float64)


@pytest.fixture(scope="module")
def problem():
    return net.make_problem(0, CPU, torch.float64)


@pytest.fixture(scope="module", params=[(torch.float64, FLOAT64), (torch.float32, FLOAT32)], ids=["float64", "float32"])
def by_hand(request):
    """Return a problem, its losses by hand-written gradients, and how closely others must agree."""
    dtype, tolerance = request.param
    problem = net.make_problem(0, CPU, dtype)
    return problem, train("tensors", problem, steps=500), tolerance


@pytest.mark.parametrize("name", NAMES[1:5])
def test_gradient_descent_agrees_step_by_step(name, by_hand):
    problem, expected, tolerance = by_hand
    assert_close(train(name, problem, steps=500), expected, **tolerance)


def test_gradient_descent_learns_the_data_by_heart(by_hand):
    _, losses, _ = by_hand
    assert losses[0] > 1e7
    assert losses[-1] < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_moved_starting_weights_change_the_losses(name, problem):
    data, start = problem
    moved = start._replace(w1=start.w1 * (1 + 1e-6))
    with pytest.raises(AssertionError, match="not close"):
        assert_close(train(name, (data, moved), steps=10), train(name, problem, steps=10), **FLOAT64)


@pytest.mark.parametrize("name", NAMES)
def test_leaves_data_and_starting_weights_as_they_were(name, problem):
    train(name, problem, steps=2)
    assert_close(problem, net.make_problem(0, CPU, torch.float64), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_fetches_the_losses_once_and_without_history(name, problem, monkeypatch):
    fetched = []
    monkeypatch.setattr(net, "to_floats", lambda losses: fetched.append(losses) or [0.0])
    train(name, problem, steps=4)
    (losses,) = fetched
    assert len(losses) == 4
    assert not any(loss.requires_grad for loss in losses)


@pytest.mark.parametrize("name", NAMES)
def test_returns_a_float_per_step(name, problem):
    losses = WAYS[name](*problem, steps=3, learning_rate=1e-6)
    assert [type(loss) for loss in losses] == [float] * 3


def test_adam_takes_other_steps_and_goes_down(problem):
    adam, by_hand = (train(name, problem, steps=100) for name in ("adam", "tensors"))
    assert_close(adam[0], by_hand[0], **FLOAT64)
    assert ((adam - by_hand).abs() > 1e-6 * by_hand)[1:].all()
    assert (adam.diff() < 0).all()


def test_first_step_of_adam_moves_every_weight_by_the_learning_rate(problem):
    (x, y), start = problem
    w1, w2 = (weight.clone().requires_grad_() for weight in start)
    (((x @ w1).relu() @ w2 - y) ** 2).sum().backward()
    moved = [weight.detach() - 1e-4 * weight.grad.sign() for weight in (w1, w2)]
    expected = (((x @ moved[0]).relu() @ moved[1] - y) ** 2).sum()
    # Adam divides the gradient by its size + 1e-8, which is as good as its sign: gradients are 1e3 to 1e5 here.
    assert_close(train("adam", problem, steps=2)[1], expected, **FLOAT64)


def test_gradient_of_my_relu():
    h = torch.linspace(-2, 2, 20, dtype=torch.float64, requires_grad=True)  # an even count leaves out the corner at 0
    assert torch.autograd.gradcheck(net.MyReLU.apply, (h,))


def test_my_relu_equals_the_one_of_torch_even_in_its_corner():
    def value_and_gradient(relu):
        h = torch.tensor([-1.0, -0.0, 0.0, 2.0], requires_grad=True)
        output = relu(h)
        return output.detach(), torch.autograd.grad(output.sum(), h)[0]

    assert_close(value_and_gradient(net.MyReLU.apply), value_and_gradient(torch.relu), rtol=0, atol=0)


def test_seed_decides_the_problem():
    first, again, other = (net.make_problem(seed, CPU) for seed in (1, 1, 2))
    assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first[0].x, other[0].x)
    assert not torch.equal(first[1].w1, other[1].w1)


def test_script_prints_six_aligned_rows():
    command = [sys.executable, str(SCRIPT), "--steps", "3", "--device", "cpu"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    header, *rows = finished.stdout.splitlines()
    assert header.split() == ["loss", "at", "step", "0", "1", "2", "seconds"]
    assert [row.split()[0] for row in rows] == NAMES
    assert {len(row) for row in rows} == {len(header)}
    losses = [[float(cell) for cell in row.split()[1:4]] for row in rows]
    expected = train("tensors", net.make_problem(0, CPU), steps=3)
    assert_close(torch.tensor(losses[:5], dtype=torch.float64), expected.expand(5, 3), rtol=1e-4, atol=0)  # 5 digits


@pytest.mark.parametrize(
    ("steps", "shown"),
    [(1, ["0"]), (2, ["0", "1"]), (11, ["0", "1", "2", "10"]), (500, ["0", "1", "2", "10", "100", "499"])],
)
def test_table_shows_some_early_steps_and_the_last(steps, shown):
    result = net.Result(losses=[float(step) for step in range(steps)], seconds=1.5)
    header, row = net.format_table({"adam": result}, steps).splitlines()
    assert header.split() == ["loss", "at", "step", *shown, "seconds"]
    assert [float(cell) for cell in row.split()[1:]] == [*map(float, shown), 1.5]


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:99", ""])
def test_device_that_is_not_there_is_refused(name):
    finished = CliRunner().invoke(net.main, ["--device", name])
    assert finished.exit_code == 2
    assert f"Invalid value for '--device': this machine has no {name!r}; choose auto, " in finished.output


@pytest.mark.parametrize("option", ["--steps", "--learning-rate", "--adam-learning-rate"])
def test_zero_is_refused(option):
    finished = CliRunner().invoke(net.main, [option, "0"])
    assert finished.exit_code == 2
    assert f"Invalid value for '{option}'" in finished.output


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", NAMES)
def test_cuda_agrees_with_cpu(name, problem):
    on_cuda = net.make_problem(0, torch.device("cuda"), torch.float64)
    assert_close(train(name, on_cuda, steps=100), train(name, problem, steps=100), **FLOAT64)
