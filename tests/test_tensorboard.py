"""The real TensorBoard, on a free port of this machine, shows runs of two tiers side by side."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import small_config
from textclf import training
from textclf.config import TIERS


def test_event_files_of_every_tier_have_every_tag(data_dir: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for tier in TIERS:
        finished = training.train(small_config("mlp", data_dir, tmp_path, tier=tier, epochs=2))
        events = EventAccumulator(str(finished.root))
        events.Reload()
        tags = events.Tags()
        splits = ("train", "validation", "test")
        assert {f"{kind}/{split}" for kind in ("Loss", "Accuracy") for split in splits} <= set(tags["scalars"])
        assert {"Training/learning_rate", "Training/gradient_norm", "Training/documents_per_second"} <= set(
            tags["scalars"]
        )
        assert {"Model/text_summary", "Settings/text_summary"} <= set(tags["tensors"])
        assert "_hparams_/session_start_info" in events.summary_metadata
        assert [point.step for point in events.Scalars("Loss/train")] == [1, 2]


@pytest.mark.slow
def test_tensorboard_serves_the_scalars_of_two_runs(data_dir: Path, tmp_path: Path) -> None:
    finished = {training.train(small_config(model, data_dir, tmp_path, epochs=2)).root for model in ("mlp", "lstm")}
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(tmp_path),
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    log = tmp_path / "tensorboard.log"
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            address = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+", log.read_text()))[0]
            names = {path.name for path in finished}
            wait_for(lambda: names <= set(get(f"{address}/data/plugin/scalars/tags")))
            for path in finished:
                points = get(f"{address}/data/plugin/scalars/scalars?run={path.name}&tag=Loss/validation")
                history = [json.loads(line) for line in (path / "history.jsonl").read_text().splitlines()]
                assert [step for _, step, _ in points] == [1, 2]
                assert [value for *_, value in points] == pytest.approx(
                    [epoch["validation"]["loss"] for epoch in history]
                )
        finally:
            server.terminate()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_for(condition: Any, seconds: float = 60) -> Any:
    """What the condition returns once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except OSError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"nothing within {seconds} s")
