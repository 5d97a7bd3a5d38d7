import configparser
import sys
from pathlib import Path

import pytest

import textclf
from textclf.errors import UsageError
from textclf.system import requirements

SETUP = configparser.ConfigParser()
SETUP.read(Path(textclf.__file__).parent.parent / "setup.cfg")
NAMES = {"scikit-learn": "sklearn"}


def required(lines):
    """The packages of a list of requirements, by the names that they are imported by."""
    names = [line.split(";")[0].split(">")[0].split("=")[0].strip() for line in lines.splitlines()]
    return {NAMES.get(name, name) for name in names if name and not name.startswith("#")}


def test_what_is_missing_is_named_with_one_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError) as one:
        requirements.need("a table", ["json", "pyarrow"])
    assert str(one.value) == "a table needs pyarrow, which is not installed: pip install pyarrow"
    with pytest.raises(UsageError) as two:
        requirements.need("a table", ["pyarrow", "nowhere"])
    assert str(two.value).endswith("pyarrow, nowhere, which are not installed: pip install pyarrow nowhere")
    with pytest.raises(UsageError, match=r": pip install textclf$"):
        requirements.need("training", ["pyarrow"], install=requirements.ALL)


def test_what_is_there_is_not_imported():
    assert "this" not in sys.modules
    requirements.need("poetry", ["this"])
    assert "this" not in sys.modules


def test_a_refusing_importer_counts_as_missing(monkeypatch):
    class Refusing:
        def find_spec(self, name, path=None, target=None):
            raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])
    with pytest.raises(UsageError, match="needs no_such_package"):
        requirements.need("it", ["no_such_package"])


def test_pip_gets_every_package_with_textclf_or_an_extra_of_it():
    everything = required(SETUP["options"]["install_requires"])
    for packages in (requirements.ALONE, requirements.TABLES, requirements.COMPARING, requirements.REPORTING):
        assert set(packages) <= everything
    assert set(requirements.TRAINING) <= everything
    extras = SETUP["options.extras_require"]
    assert set(requirements.SERVING) | {"uvloop"} == required(extras["serve"])  # without which it is slower
    assert set(requirements.ONNX) == required(extras["onnx"])
    assert set(requirements.WORKBOOKS) == required(extras["xlsx"])
