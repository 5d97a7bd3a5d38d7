"""Sections `mlp` and `waiting`: training rate of textclf and fastText, and the time of an epoch by phase."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from speed import peers
from speed.figures import Row, Sample
from speed.materials import Materials, in_turns
from speed.newsgroups import default_run, preprocess
from speed.processes import run, textclf

WIDTH: Final = peers.BEST_DIM
EPOCHS: Final = 6  # of the mlp
FEW, MANY = 5, 15  # epochs of fastText: the difference of their times is training alone
LSTM_EPOCHS: Final = 2
WAITING: Final = ("load", "collate")
"""Phases of an epoch in which the model waits for data."""


def mlp(materials: Materials, repeats: int) -> list[Row]:
    """Training documents per second on words and pairs of words, of the same width, without the start-up."""
    peers.install()
    folder = materials.folder("mlp")
    preprocess(materials.newsgroups, folder, "--max-parts", "0")
    ours, theirs = f"{WIDTH} wide", f"{peers.FASTTEXT}, {WIDTH} wide, 2 threads"
    results = in_turns({ours: lambda: _mlp_rate(folder), theirs: lambda: _fasttext_rate(materials)}, repeats)
    samples = (Sample(name, tuple(rates)) for name, rates in results.items())
    return [Row("`mlp`, training on 20newsgroups, words and pairs", "documents/s", *samples)]


def _mlp_rate(folder: Path) -> float:
    options = ("--hidden-size", str(WIDTH), "--epochs", str(EPOCHS), "--patience", str(EPOCHS), "--no-refit")
    epochs = _history(_train(folder, "--data", "newsgroups", "--tier", "full", *options))
    return float(sum(epoch["train"]["documents"] for epoch in epochs) / sum(epoch["seconds"] for epoch in epochs))


def _fasttext_rate(materials: Materials) -> float:
    corpus, folder = materials.newsgroups, materials.folder("fasttext")
    model = materials.root / "rate.model"
    few, many = (
        run(peers.script("fasttext_train", corpus.fasttext, model, str(epochs), str(WIDTH)), folder, memory=False)
        for epochs in (FEW, MANY)
    )
    documents = sum(1 for _ in corpus.fasttext.open(encoding="utf-8"))
    return documents * (MANY - FEW) / (many.seconds - few.seconds)


def waiting(materials: Materials, _repeats: int) -> list[Row]:
    """The share of each epoch in which the model waits for data, and the shares of the other phases."""
    folder = materials.folder("waiting")
    textclf("preprocess", "bbc_news", folder=folder, memory=False)
    lstm = _train(folder, "--data", "bbc_news", "--tier", "full", "--model", "lstm", "--epochs", str(LSTM_EPOCHS))
    runs = {"`mlp`, 20newsgroups": default_run(materials), "`lstm`, bbc_news": lstm}
    rows = [waiting_row(name, _history(made)) for name, made in runs.items()]
    return [row for row in rows if row is not None]


def waiting_row(name: str, epochs: Sequence[dict[str, Any]]) -> Row | None:
    """A row with the share of each epoch spent waiting, and the profile of all epochs; None without profiles."""
    profiles = [epoch["profile"] for epoch in epochs if "profile" in epoch]
    if not profiles:
        click.echo(f"{name}: no profile in history.jsonl", err=True)
        return None
    shares = tuple(sum(profile[part] for part in WAITING) / sum(profile.values()) for profile in profiles)
    total = sum(sum(profile.values()) for profile in profiles)
    parts = ", ".join(f"{part} {sum(p[part] for p in profiles) / total:.1%}" for part in profiles[0])
    return Row(f"waiting for data, share of an epoch: {name}", "share", Sample("load + collate", shares, parts))


def _train(folder: Path, *options: str) -> Path:
    return folder / textclf("train", *options, folder=folder, memory=False).output


def _history(made: Path) -> list[dict[str, Any]]:
    """The records of a run's epochs."""
    return [json.loads(line) for line in (made / "history.jsonl").read_text(encoding="utf-8").splitlines()]
