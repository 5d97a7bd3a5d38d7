"""Running a user's file: what is found in it, what is named, and what is left as it was."""

import sys
from pathlib import Path

import pytest

from textclf.errors import DataError, UsageError
from textclf.models.user import code
from textclf.models.user.code import from_file, naming_line

NETWORK = "from torch import nn\n\n\nclass Net(nn.Module):\n    pass\n"


def refusal(name="Net", *, file="net.py"):
    with pytest.raises(UsageError) as caught:
        from_file(Path(file), name)
    return str(caught.value)


def test_a_class_is_found_with_the_sha256_of_its_file():
    import hashlib

    Path("net.py").write_text(NETWORK)
    found = from_file(Path("net.py"), "Net")
    assert found.network.__name__ == "Net"
    assert (found.file, found.sha256) == (Path("net.py"), hashlib.sha256(NETWORK.encode()).hexdigest())
    assert from_file(Path("net.py"), "Net").network is found.network  # it is run once


def test_a_changed_file_is_another_module():
    Path("net.py").write_text(NETWORK)
    first = from_file(Path("net.py"), "Net")
    Path("net.py").write_text(NETWORK + "    x = 1\n")
    again = from_file(Path("net.py"), "Net")
    assert (again.network.x, hasattr(first.network, "x")) == (1, False)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("class Net(:\n", "net.py:1: SyntaxError: invalid syntax"),
        ("x = 1\n\nraise ValueError('no\\nway')\n", "net.py:3: ValueError: no way"),
        ("import sys\nsys.exit(3)\n", "net.py:2: SystemExit: 3"),
        ("def f():\n    return 1 / 0\n\n\nf()\n", "net.py:2: ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')\n", "net.py:2: JSONDecodeError: Expecting property name"),
        ("import nowhere\n", "net.py:1: ModuleNotFoundError: No module named 'nowhere'"),
        ("x = '\0'\n", "net.py:1: "),
        ("Net = 3\n", "net.py: Net is not a class of torch.nn.Module"),
        ("class Net: pass\n", "net.py: Net is not a class of torch.nn.Module"),
        ("", "net.py has no class 'Net'; it has no torch.nn.Module"),
        (NETWORK.replace("Net(", "Other("), "net.py has no class 'Net'; it has Other"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(content, said):
    Path("net.py").write_text(content)
    message = refusal()
    assert message.startswith(said)
    assert "\n" not in message


def test_a_file_that_is_none_is_named():
    assert refusal() == "no file net.py; a model of your own is named as FILE.py:CLASS"
    Path("net.py").mkdir()
    assert refusal() == "net.py cannot be read: Is a directory"


def test_a_long_message_is_cut():
    Path("net.py").write_text("raise ValueError('x' * 1000)\n")
    assert len(refusal()) < 400


@pytest.mark.parametrize("name", ["json.py", "torch.py", "textclf.py"])
def test_no_module_of_others_is_replaced_and_nothing_is_written(name):
    before = dict(sys.modules)
    Path(name).write_text(NETWORK)
    from_file(Path(name), "Net")
    assert {key: sys.modules[key] for key in before} == before
    assert [path.name for path in Path().iterdir()] == [name]


def test_a_file_that_fails_leaves_no_module():
    before = set(sys.modules)
    Path("net.py").write_text("import torch\n1 / 0\n")
    refusal()
    assert {name for name in set(sys.modules) - before if name.startswith("textclf_user")} == set()


def test_what_it_imports_writes_nothing_either(monkeypatch):
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    Path("layers_of_mine.py").write_text("x = 1\n")
    Path("net.py").write_text("import layers_of_mine\n" + NETWORK)
    from_file(Path("net.py"), "Net")
    del sys.modules["layers_of_mine"]
    assert {path.name for path in Path().iterdir()} == {"net.py", "layers_of_mine.py"}
    assert sys.dont_write_bytecode is False


def test_a_dataclass_with_postponed_annotations_works():
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
    Path("net.py").write_text(f"{head}@dataclass\nclass Sizes:\n    x: ClassVar[int] = 1\n{NETWORK[:0]}" + NETWORK)
    assert from_file(Path("net.py"), "Net")


def test_only_an_exception_of_the_file_is_named():
    with pytest.raises(ZeroDivisionError), naming_line(Path("net.py")):
        1 / 0  # noqa: B018
    with pytest.raises(UsageError, match=r"^net\.py:7: ZeroDivisionError"), naming_line(Path("net.py"), otherwise=7):
        1 / 0  # noqa: B018
    with pytest.raises(DataError, match=r"^bad$"), naming_line(Path("net.py"), otherwise=7):
        raise DataError("bad")


def installed(monkeypatch, *, value="my_package.nets:Net", content=NETWORK):
    """An installed package with an entry point, as pip leaves it."""
    (Path("site") / "my_package").mkdir(parents=True)
    Path("site/my_package/__init__.py").write_text("")
    Path("site/my_package/nets.py").write_text(content)
    metadata = Path("site/my_package-1.0.dist-info")
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[textclf.models]\nmy-net = {value}\n")
    monkeypatch.syspath_prepend(str(Path("site").resolve()))


@pytest.fixture(autouse=True)
def _without_the_package():
    yield
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        del sys.modules[name]


def test_an_installed_package_offers_a_class_by_name(monkeypatch):
    assert code.from_entry_point("my-net") is None
    installed(monkeypatch)
    assert "my-net" in code.entry_points()
    assert "my_package" not in sys.modules  # to list them imports nothing
    found = code.from_entry_point("my-net")
    assert (found.network.__name__, found.file.name, found.entry_point) == ("Net", "nets.py", "my-net")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"value": "my_package.none:Net"},
            "cannot be imported: ModuleNotFoundError: No module named 'my_package.none'",
        ),
        ({"value": "my_package.nets:Nit"}, "cannot be imported: AttributeError"),
        ({"content": "1 / 0\n"}, "cannot be imported: ZeroDivisionError"),
        ({"content": "Net = 1\n"}, "is not a class of torch.nn.Module"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(given, said, monkeypatch):
    installed(monkeypatch, **given)
    with pytest.raises(UsageError, match=r"^the model 'my-net' \(my_package\.n\w+:N\wt\)") as caught:
        code.from_entry_point("my-net")
    assert said in str(caught.value)
