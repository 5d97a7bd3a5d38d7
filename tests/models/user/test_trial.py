"""A user's network is tried before training; every mistake that shows there is one line."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.conftest import MY_MODEL
from textclf.errors import UsageError
from textclf.models.user.code import from_file
from textclf.models.user.trial import build_and_try

LINE = {line.split("(")[0].strip(): number for number, line in enumerate(MY_MODEL.splitlines(), start=1)}
INIT, FORWARD = LINE["def __init__"], LINE["def forward"]


def made(content=MY_MODEL, **given):
    Path("my_model.py").write_text(content)
    return build_and_try(from_file(Path("my_model.py"), "MyModel"), **{"vocabulary": 9, "classes": 3, **given})


def changed(old, new):
    assert old in MY_MODEL
    return MY_MODEL.replace(old, new)


def test_a_network_that_works_is_made_with_its_arguments():
    network = made(embedding_size=5)
    assert network.words.weight.shape == (9, 5)
    assert isinstance(network, nn.Module)


def test_the_trial_leaves_no_trace():
    torch.manual_seed(0)
    tried = made()
    torch.manual_seed(0)
    untried = from_file(Path("my_model.py"), "MyModel").network(vocabulary=9, classes=3)
    for name, tensor in untried.state_dict().items():
        assert torch.equal(tried.state_dict()[name], tensor), name
    assert all(parameter.grad is None for parameter in tried.parameters())


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("torch.stack(views)", "views", FORWARD, "forward must return logits of shape (2, 3) for 2 documents and 3"),
        ("torch.stack(views)", "views[0].sum(1)", FORWARD, "classes, and it returned the shape (2,)"),
        ("torch.stack(views)", "views[0].T", FORWARD, "and it returned the shape (3, 2)"),
        ("torch.stack(views)", "views[0].argmax(1)", FORWARD, "and it returned a tensor of torch.int64"),
        ("torch.stack(views)", "views[0].squeeze()", FORWARD, "shape (1, 3) for 1 document and 3"),
        ("torch.stack(views)", "views[0][:0]", FORWARD, "and it returned the shape (0, 3)"),
        ("return torch.stack(views)", "views", FORWARD, "and it returned a NoneType"),
        ("return torch.stack(views)", "return nothing", FORWARD + 6, "NameError: name 'nothing' is not defined"),
        ("batch.lengths[:, None]", "batch.lengths", FORWARD + 3, "RuntimeError: The size of tensor a"),
        ("        super().__init__()\n", "", INIT + 1, "AttributeError: cannot assign module before"),
        ("nn.Linear(embedding_size, embedding_size)", "nn.Linear(0.5)", INIT + 3, "TypeError"),
        ("padding_idx=0", "padding_idx=0, sparse=True", INIT, "gradients must be dense: leave out sparse=True"),
        ("def forward", "def backward", 1, "NotImplementedError: Module [MyModel] is missing the required"),
        (
            "        self.dropout =",
            '        self.register_buffer("mask", torch.full((3,), -torch.inf))\n        self.dropout =',
            INIT,
            "mask is not finite; if it is a mask, register it with persistent=False",
        ),
        (
            "        self.dropout =",
            '        self.register_buffer("mask", torch.zeros(3, dtype=torch.complex64))\n        self.dropout =',
            INIT,
            "mask is of a type that cannot be saved; use float32",
        ),
        (
            "        self.outputs = nn.ModuleList",
            "        self.requires_grad_(False)\n        self.outputs = lambda: nn.ModuleList",
            INIT,
            "MyModel has no parameters to train",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(old, new, line, said):
    with pytest.raises(UsageError) as caught:
        made(changed(old, new))
    message = str(caught.value)
    assert message.startswith(f"my_model.py:{line}: ")
    assert said in message
    assert "\n" not in message


def test_a_document_of_one_token_is_tried():
    """As `explain` asks for them, and short texts are."""
    pairs = "        pairs = batch.tokens.unfold(1, 2, 1)\n"
    content = changed("        inside =", f"{pairs}        inside =")
    with pytest.raises(UsageError, match=rf"^my_model\.py:{FORWARD + 1}: RuntimeError: maximum size"):
        made(content)
