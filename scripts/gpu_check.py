"""Training on a CUDA device beside the CPU: tests marked gpu, steps, accuracy, speed, memory, equal predictions.

Needs torch, numpy, click, scipy, scikit-learn, safetensors, tqdm, pyarrow, tensorboard and pytest, and no network: the
corpus is synthetic. Without a CUDA device it runs the CPU half and names what it left out.
"""

import csv
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import mean
from time import monotonic
from typing import Any, Final

import click
import numpy as np

import textclf
from textclf.models import MODELS

ROOT: Final = Path(__file__).resolve().parent.parent
RECORD: Final = ROOT / "docs" / "gpu.json"

CLASSES: Final = 8
WORDS: Final = 20_000
LENGTHS: Final = (20, 120)  # tokens per document
TYPICAL: Final = 0.02  # share of the words that a class prefers
PREFERENCE: Final = 8.0  # how many times as frequent these are in its documents
WRONG_LABELS: Final = 0.05

Figures = dict[str, Any]


class OutOfTimeError(Exception):
    """A process did not fit into the time that was left."""


class FailedError(Exception):
    """A process failed; the message has its output."""


class Timer:
    """The seconds that are left."""

    def __init__(self, minutes: float) -> None:
        self._end = monotonic() + 60 * minutes

    def left(self) -> float:
        """Seconds until the end; at least 0."""
        return max(0.0, self._end - monotonic())


def write_corpus(path: Path, documents: int) -> None:
    """A CSV file of seeded synthetic documents: word frequencies follow Zipf's law and differ by class."""
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(random.choice(letters, random.integers(3, 9))) for _ in range(WORDS)], dtype=object)
    zipf = 1 / (np.arange(WORDS) + 10)
    weights = zipf * np.where(random.random((CLASSES, WORDS)) < TYPICAL, PREFERENCE, 1.0)
    frequencies = weights / weights.sum(axis=1, keepdims=True)  # (CLASSES, WORDS)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for _ in range(documents):
            topic = random.integers(CLASSES)
            text = " ".join(random.choice(words, random.integers(*LENGTHS), p=frequencies[topic]))
            label = random.integers(CLASSES) if random.random() < WRONG_LABELS else topic
            writer.writerow((text, f"class{label}"))


def run_here(command: str, *arguments: str, folder: Path, timer: Timer) -> str:
    """Run a hidden command of this script in a new process; returns its stdout.

    Raises OutOfTimeError if it takes longer than the time left, FailedError if its exit code is not 0.
    """
    words = [sys.executable, str(Path(__file__).resolve()), command, *arguments]
    try:
        done = subprocess.run(words, cwd=folder, timeout=timer.left(), capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired as error:
        raise OutOfTimeError from error
    if done.returncode:
        raise FailedError(f"{done.stderr}{done.stdout}".strip())
    return done.stdout


def summarise(run: Path, extras: Mapping[str, Any]) -> Figures:
    """The figures of a finished run, the first epoch left out where there are more: it also loads GPU kernels."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    epochs = [json.loads(line) for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    counted = epochs[1:] or epochs
    profile = {phase: sum(epoch["profile"][phase] for epoch in counted) for phase in counted[0]["profile"]}
    seconds = sum(epoch["seconds"] for epoch in counted)
    return {
        "accuracy": metrics["test"]["accuracy"],
        "documents_per_second": sum(epoch["train"]["documents"] for epoch in counted) / seconds,
        "waiting_for_data": (profile["load"] + profile["collate"]) / sum(profile.values()),
        "profile_seconds": profile,
        **extras,
    }


def merge(runs: Sequence[Figures]) -> Figures:
    """The figures of all seeds of one model on one device: means, and the accuracy of each."""
    averaged = ("documents_per_second", "waiting_for_data")
    phases = runs[0]["profile_seconds"]
    return {
        "accuracies": [run["accuracy"] for run in runs],
        **{name: mean(run[name] for run in runs) for name in averaged},
        "profile_seconds": {phase: mean(run["profile_seconds"][phase] for run in runs) for phase in phases},
        "peak_memory_bytes": max(run["peak_memory_bytes"] for run in runs),
        "differing_predictions": sum(run["differing_predictions"] for run in runs),
        "largest_logit_difference": max(run["largest_logit_difference"] for run in runs),
    }


def is_within_spread(first: Sequence[float], second: Sequence[float], *, documents: int) -> bool:
    """Whether the mean accuracies differ by at most the larger range over the seeds, or by two documents."""
    spread = max(max(values) - min(values) for values in (first, second))
    return abs(mean(first) - mean(second)) <= max(spread, 2 / documents)


def show(model: str, device: str, figures: Figures) -> None:
    """Print the figures of one model on one device."""
    accuracies = ", ".join(f"{accuracy:.4f}" for accuracy in figures["accuracies"])
    total = sum(figures["profile_seconds"].values())
    phases = ", ".join(f"{name} {seconds / total:.1%}" for name, seconds in figures["profile_seconds"].items())
    click.echo(
        f"{model:<6}{device:<6}accuracy {accuracies}; {figures['documents_per_second']:,.0f} documents/s; "
        f"peak memory {figures['peak_memory_bytes'] / 1e6:,.0f} MB\n"
        f"            waiting for data {figures['waiting_for_data']:.1%}: {phases}\n"
        f"            numpy and torch differ in {figures['differing_predictions']} test predictions, "
        f"logits by at most {figures['largest_logit_difference']:.1e}"
    )


def describe_machine(device: str) -> Figures:
    """What ran where."""
    import torch

    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "device": torch.cuda.get_device_name() if device == "cuda" else None,
        "versions": {
            "python": platform.python_version(),
            "textclf": textclf.__version__,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "numpy": np.__version__,
        },
        "cores": os.cpu_count(),
    }


def compare_predictions(run: Path, device: str) -> Figures:
    """The test split by the numpy runtime and by the torch network with the same weights on the device."""
    import torch

    from textclf.artefacts import loading, runs
    from textclf.dataset.directory import DataDirectory
    from textclf.models.model import Examples

    layout = runs.RunLayout(run)
    trained, data = loading.load(layout.model), DataDirectory.open(runs.data_of(layout).path)
    architecture = trained.kind.architecture()
    settings = json.loads(layout.config.read_text(encoding="utf-8"))["settings"]
    sizes = {name: settings[name] for name in architecture.settings if settings[name] is not None}
    network = architecture.network(classes=len(trained.labels), **trained.inputs.sizes, **sizes)
    network.load_state_dict({name: torch.tensor(weights) for name, weights in trained.weights.items()})
    network.to(device).eval()
    torch.backends.cudnn.allow_tf32 = False  # which rounds to ten bits

    tokens, lengths = data.packed().gather(data.rows("test"))
    examples = Examples(tokens, lengths, np.zeros(len(lengths), dtype=np.int64))
    batch = architecture.collate(examples, inputs=trained.inputs)
    with torch.inference_mode():
        logits = network(type(batch)(*(tensor.to(device) for tensor in batch)))
    by_torch = (logits.mean(dim=0) if logits.dim() == 3 else logits).cpu().numpy()
    by_numpy = trained.raw_logits(tokens, lengths)
    return {
        "differing_predictions": int((by_torch.argmax(axis=1) != by_numpy.argmax(axis=1)).sum()),
        "largest_logit_difference": float(np.abs(by_torch - by_numpy).max()),
    }


@click.group(invoke_without_command=True)
@click.option("--documents", default=6000, show_default=True, type=click.IntRange(min=100), help="Synthetic documents.")
@click.option("--epochs", default=4, show_default=True, type=click.IntRange(min=1), help="Epochs of each training.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=1), help="Runs per model and device.")
@click.option("--minutes", default=8.0, show_default=True, help="Runs that exceed this time are left out.")
@click.option("--write/--print", default=True, help="Whether to write docs/gpu.json if there is a CUDA device.")
@click.pass_context
def main(context: click.Context, documents: int, epochs: int, seeds: int, minutes: float, write: bool) -> None:
    """Run the tests marked gpu, measure steps, then train each model on CUDA and on the CPU with the same seeds.

    Exits with 1 if a test or a training fails, if accuracies differ by more than they do between seeds, or if numpy and
    torch predict differently.
    """
    if context.invoked_subcommand:
        return
    import torch

    timer = Timer(minutes)
    devices = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    record: Figures = {**describe_machine(devices[0]), "documents": documents, "epochs": epochs, "seeds": seeds}
    record["problems"] = []
    click.echo(f"{record['device'] or 'no CUDA device'}; torch {torch.__version__}, {record['cores']} cores")
    with tempfile.TemporaryDirectory(prefix="textclf-gpu-") as name:
        folder = Path(name)
        if devices == ["cpu"]:
            click.echo("left out: the tests marked gpu, which need a CUDA device")
        else:
            record["tests"] = run_tests(folder, record, timer)
        record["steps"] = measure_steps(folder, devices[0], record, timer)
        record["models"] = train_all(folder, devices, record, timer)
    record["problems"] += find_problems(record["models"], test_documents=documents // 10)
    for problem in record["problems"]:
        click.echo(f"problem: {problem}")
    if devices == ["cpu"]:
        click.echo("left out: training on CUDA, its comparison with the CPU, steps of full size, and docs/gpu.json")
    elif write:
        RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if record["problems"] else 0)


def run_tests(folder: Path, record: Figures, timer: Timer) -> str:
    """Run the tests marked gpu; returns the last line of pytest."""
    try:
        output = run_here("tests", folder=folder, timer=timer)
    except OutOfTimeError:
        output = "left out, since the time was over"
    except FailedError as failure:
        output = str(failure)
        record["problems"].append(f"tests marked gpu failed:\n{output}")
    last = output.splitlines()[-1]
    click.echo(f"tests marked gpu: {last}")
    return last


def measure_steps(folder: Path, device: str, record: Figures, timer: Timer) -> Figures:
    """Measure the steps of each model, see `gpu_steps`; returns its figures, none if they fail or take too long."""
    try:
        *lines, figures = run_here("steps", device, folder=folder, timer=timer).splitlines()
    except OutOfTimeError:
        click.echo("left out: steps, since the time was over")
        return {}
    except FailedError as failure:
        record["problems"].append(f"steps failed:\n{failure}")
        return {}
    click.echo("\n".join(lines))
    measured: Figures = json.loads(figures)
    return measured


def train_all(folder: Path, devices: Sequence[str], record: Figures, timer: Timer) -> Figures:
    """Train each model on each device once per seed, seed by seed, until the time is over."""
    write_corpus(folder / "corpus.csv", record["documents"])
    runs: dict[tuple[str, str], list[Figures]] = {}
    for seed, model, device in product(range(record["seeds"]), MODELS, devices):
        try:
            if not (folder / "data").exists():
                run_here("run", "-", "preprocess", "corpus.csv", "--num-workers", "1", folder=folder, timer=timer)
            figures = train_one(model, device, seed, epochs=record["epochs"], folder=folder, timer=timer)
            runs.setdefault((model, device), []).append(figures)
        except OutOfTimeError:
            click.echo(f"left out: {model} on {device} with seed {seed}, since the time was over")
        except FailedError as failure:
            record["problems"].append(f"{model} on {device} with seed {seed} failed:\n{failure}")
    models: Figures = {}
    for (model, device), seeds in runs.items():
        models.setdefault(model, {})[device] = merge(seeds)
        show(model, device, models[model][device])
    return models


def train_one(model: str, device: str, seed: int, *, epochs: int, folder: Path, timer: Timer) -> Figures:
    """Train on the full tier for a fixed number of epochs; returns the figures of the run."""
    fixed = ("--tier", "full", "--epochs", str(epochs), "--patience", str(epochs), "--no-refit")
    options = ("--model", model, "--device", device, "--seed", str(seed))
    run, extras = run_here("run", device, "train", *fixed, *options, folder=folder, timer=timer).splitlines()
    return summarise(folder / run, json.loads(extras))


def find_problems(models: Figures, *, test_documents: int) -> list[str]:
    """One line per disagreement between CUDA and the CPU, or between torch and numpy."""
    problems = []
    for model, devices in models.items():
        both = [devices[device]["accuracies"] for device in ("cuda", "cpu") if device in devices]
        if len(both) == 2 and not is_within_spread(*both, documents=test_documents):
            problems.append(f"{model}: accuracy on CUDA and on the CPU differs by more than between seeds")
        problems += [
            f"{model} on {device}: numpy and torch differ in {figures['differing_predictions']} predictions"
            for device, figures in devices.items()
            if figures["differing_predictions"]
        ]
    return problems


@main.command("tests", hidden=True)
def run_marked_tests() -> None:
    """Run the tests marked gpu in this process, in the files that have one: others may import what is not installed."""
    import pytest

    files = [path for path in (ROOT / "tests").rglob("test_*.py") if re.search(r"mark\.gpu\b", path.read_text("utf-8"))]
    options = ["-q", "-m", "gpu", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    sys.exit(pytest.main([*options, *map(str, files)]))


@main.command("steps", hidden=True)
@click.argument("device")
def run_steps(device: str) -> None:
    """Measure training steps in this process; the last line is the record."""
    import gpu_steps
    import torch

    sizes = gpu_steps.ON_CARD if device == "cuda" else gpu_steps.ON_CPU
    click.echo(json.dumps(gpu_steps.measure(torch.device(device), sizes, tell=click.echo)))


@main.command("run", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("device")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run_textclf(device: str, arguments: tuple[str, ...]) -> None:
    """Run textclf in this process; after training on a device, print its peak memory and compare torch with numpy."""
    from textclf.cli import main as command_line

    try:
        command_line(list(arguments))
    except SystemExit as end:
        if end.code:
            raise
    if device == "-":
        return
    import torch

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    run = Path("runs") / Path("runs/latest").read_text(encoding="utf-8").strip()
    click.echo(json.dumps({"peak_memory_bytes": peak, **compare_predictions(run, device)}))


if __name__ == "__main__":
    main()
