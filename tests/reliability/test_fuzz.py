"""Files that were changed at random, by accident or by one who makes the checksums right again.

Whatever the change: the same answer, or an ArtefactError of one line; where someone vouches for it, another answer, but
no other error, and never much memory.
"""

import json
import random
import shutil
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import small_config
from tests.reliability import memory
from textclf.artefacts import model_folder, runs
from textclf.cli import main
from textclf.dataset import manifest, tensors
from textclf.dataset.directory import DataDirectory
from textclf.errors import ArtefactError, TextclfError
from textclf.inference.classifier import load_model
from textclf.system import checksums
from textclf.training.setup import set_up

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")

FILES = ["config.json", "labels.json", "model.safetensors", "tokenizer.json"]
TEXTS = ["the cat sat on the mat", "bread, butter and rain", "", "unheardof", "catty", "wind " * 50]
NUMBERS = [10**12, -1, 0, 1, 2**31, 2**63, 1e300, -0.5]
ODD = [*NUMBERS, None, True, "", "x", "a b", "\0", "F64", [], {}, [[]], [1], {"a": 1}]
TOKENS = [b"0", b"-", b"1e999", b"NaN", b"null", b"[", b"]", b"{", b'"', b",", b"\\ud800", b"\xff"]
TOKENS += [b"9" * 5000, b"[" * 9999]
KINDS = ["flip", "flip", "cut", "extend", "swap", "replace", "insert", "move", "leaf", "leaf", "leaf", "header"]
LIMIT = 300 * memory.MB


def times(default, long):
    return pytest.mark.parametrize(
        "times", [pytest.param(default), pytest.param(long, marks=[pytest.mark.slow, pytest.mark.long])]
    )


def fuzz(times, strategy, body):
    """Run the body on so many examples, the same each time."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    how = settings(max_examples=times, derandomize=True, deadline=None, database=None, suppress_health_check=checks)
    how(given(strategy)(body))()


def is_a_line_about(path, error):
    return str(path) in str(error) and len(str(error).splitlines()) == 1


@st.composite
def changes(draw):
    """A change of some bytes: a function of them, and of those of another file."""
    kind, some = draw(st.sampled_from(KINDS)), draw(st.one_of(st.binary(max_size=64), st.sampled_from(TOKENS)))
    odd, seed = draw(st.sampled_from(ODD)), draw(st.integers(0, 2**64 - 1))

    def change(content, other):
        rng = random.Random(seed)
        place = rng.random()
        at = int(place * len(content))
        before, after = content[:at], content[at:]
        results = {
            "flip": lambda: before + bytes([byte ^ 1 << rng.randrange(8) for byte in after[:1]]) + after[1:],
            "cut": lambda: before,
            "extend": lambda: content + some,
            "swap": lambda: other,
            "replace": lambda: before + some + after[len(some) :],
            "insert": lambda: before + some + after,
            "move": lambda: after + before,
            "leaf": lambda: with_other_leaf(content, place, odd),
            "header": lambda: with_other_header(content, place, odd),
        }
        return results[kind]()

    return change


def with_other_leaf(content, place, odd):
    """JSON with another value at one place."""
    try:
        value = json.loads(content)
    except ValueError:
        return content
    found = list(containers(value))
    if not found:
        return json.dumps(odd).encode()
    container, key = found[int(place * len(found))]
    container[key] = odd
    return json.dumps(value, ensure_ascii=True).encode()


def containers(value):
    """Each place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from containers(inner)


def with_other_header(content, place, odd):
    """A safetensors file whose header has another value at one place."""
    if len(content) < 8 or not 0 < (size := int.from_bytes(content[:8], "little")) < len(content):
        return content
    header = with_other_leaf(content[8 : 8 + size], place, odd)
    return struct.pack("<Q", len(header)) + header + content[8 + size :]


def seal(layout):
    """Make the checksums of a model right again, if it has any."""
    try:
        config = json.loads(layout.config.read_bytes())
        checked = (layout.weights, layout.labels, layout.tokenizer)
        config["crc32"] = {path.name: zlib.crc32(path.read_bytes()) for path in checked}
        config["crc32"][layout.config.name] = model_folder.own_checksum(config)
        layout.config.write_text(json.dumps(config))
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass  # nobody can believe such a config


@times(75, 1000)
def test_a_changed_model_gives_the_same_answers_or_is_refused(times, run_dir, tmp_path):
    layout = model_folder.Layout(Path(shutil.copytree(runs.RunLayout(run_dir).model, tmp_path / "model")))
    whole = {name: (layout.root / name).read_bytes() for name in FILES}
    expected = load_model(layout.root).predict(TEXTS)
    outcomes = {"the same": 0, "refused": 0, "another, with the checksums right": 0}

    def body(case):
        changed, other, change, sealed = case
        for name, content in whole.items():
            (layout.root / name).write_bytes(content)
        (layout.root / changed).write_bytes(change(whole[changed], whole[other]))
        if sealed:
            seal(layout)
        try:
            with np.errstate(all="ignore"), memory.at_most(LIMIT):
                answers = load_model(layout.root).predict(TEXTS)
        except ArtefactError as error:
            outcomes["refused"] += is_a_line_about(layout.root, error)
            return
        assert [type(answer.label) for answer in answers] == [str] * len(TEXTS)
        is_same = answers == expected
        assert is_same or sealed
        outcomes["the same" if is_same else "another, with the checksums right"] += 1

    fuzz(times, st.tuples(st.sampled_from(FILES), st.sampled_from(FILES), changes(), st.booleans()), body)
    print(outcomes)
    assert sum(outcomes.values()) >= times
    assert outcomes["refused"] > times / 3


@times(60, 1000)
def test_a_changed_manifest_changes_nothing_or_is_refused(times, data_dir, tmp_path):
    layout = manifest.DataLayout(Path(shutil.copytree(data_dir, tmp_path / "data")))
    whole = layout.manifest.read_bytes()
    config = small_config("mlp", layout.root, tmp_path)
    outcomes = {"read": 0, "refused": 0}
    set_up(config, DataDirectory.open(layout.root))

    def body(case):
        change, sealed = case
        content = change(whole, b"")
        try:
            if sealed:
                content = checksums.seal(json.loads(content))
        except (ValueError, TypeError, RecursionError):
            pass  # no JSON any more
        layout.manifest.write_bytes(content)
        try:
            with memory.at_most(LIMIT):
                data = DataDirectory.open(layout.root)
                set_up(config, data)
        except TextclfError as error:
            if not sealed and error.exit_code != ArtefactError.exit_code:
                raise
            outcomes["refused"] += is_a_line_about(layout.root, error)
        else:
            assert sealed or data.manifest == original
            outcomes["read"] += 1
        for command in ("check", "info"):
            result = CliRunner().invoke(main, [command, str(layout.root)])
            assert result.exit_code in (0, 2, 3, 4), result.exception
            assert result.stderr.count("\n") <= 1

    original = manifest.read_manifest(layout.root)
    fuzz(times, st.tuples(changes(), st.booleans()), body)
    print(outcomes)
    assert sum(outcomes.values()) >= times
    assert outcomes["refused"] > times / 3


@times(300, 20_000)
def test_a_changed_tensor_is_the_same_or_refused(times, tmp_path):
    path = tmp_path / "x.pt"
    ids = np.random.default_rng(0).integers(0, 70_000, 40, dtype=np.int32)
    checksum = tensors.write_tensor(path, ids)
    whole, other = path.read_bytes(), tensors.to_bytes(ids[:7])
    files = tensors.TensorFiles([path].__getitem__, np.array([checksum], dtype=np.uint32))
    outcomes = {"the same": 0, "refused": 0}

    def body(change):
        content = change(whole, other)
        path.write_bytes(content)
        try:
            with memory.at_most(LIMIT):
                assert files.read(0).tolist() == ids.tolist()
        except ArtefactError as error:
            outcomes["refused"] += is_a_line_about(path, error)
        else:
            outcomes["the same"] += 1
        assert (tensors.as_written(path, length=len(ids)) is None) == (content != whole)

    fuzz(times, changes(), body)
    print(outcomes)
    assert sum(outcomes.values()) >= times
    assert outcomes["refused"] > times / 3
