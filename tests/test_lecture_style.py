"""scripts/lecture_style.py: plain PyTorch on one page, trained on a real data directory."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import lecture_style
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SCRIPT = Path(__file__).parents[1] / "scripts" / "lecture_style.py"


def test_it_fits_on_a_page_and_imports_no_textclf():
    source = SCRIPT.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 80
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any("textclf" in ast.unparse(node) for node in imports)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "epochs", "workers"), [("mlp", 4, 0), ("lstm", 2, 1)])
def test_it_learns_and_writes_both_curves(data_dir, model, epochs, workers):
    options = ["--tier", "full", "--model", model, "--epochs", str(epochs), "--num-workers", str(workers)]
    command = [sys.executable, str(SCRIPT), str(data_dir), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    losses = [float(loss) for loss in re.findall(r"loss of the last batch ([\d.]+)", done.stdout)]
    assert len(losses) == epochs
    assert losses[-1] < losses[0]
    shown = EventAccumulator(f"runs/lecture-full-{model}").Reload()
    assert [len(shown.Scalars(tag)) for tag in ("Loss/train", "Accuracy/validation")] == [epochs, epochs]
    assert shown.Scalars("Loss/train")[-1].value == pytest.approx(losses[-1], abs=1e-4)


def test_a_tier_holds_the_smaller_ones_and_a_document_is_its_file(data_dir):
    sizes = {tier: len(lecture_style.TextDataset(data_dir, "train", tier)) for tier in ("tiny", "small", "mid", "full")}
    manifest = lecture_style.TextDataset(data_dir, "validation", "tiny").manifest
    assert sizes == manifest["tiers"]
    documents = lecture_style.TextDataset(data_dir, "validation", "tiny")
    assert len(documents) == manifest["splits"]["validation"]
    tokens, label = documents[0]
    assert 0 < len(tokens) <= 256
    assert tokens.max() < manifest["vocabulary"]
    assert manifest["labels"][label] == documents.labels[0]
