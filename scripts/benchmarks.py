"""Benchmarks behind the choices in the code. Each compares ways to do one thing, in turns, in one process.

Times are medians of several turns; trust the ratios, which a busy machine disturbs less than the times.
"""

import platform
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np
import torch

from textclf.corpora import SourceOptions, load
from textclf.store import packed, tensors
from textclf.store.tensors import TensorFiles
from textclf.text.tokenizer import UNK_ID, Tokenizer

TURNS = 7


def texts() -> list[str]:
    """The BBC news articles."""
    return [document.text for document in load("bbc_news", options=SourceOptions()).splits["train"]]


def compare(title: str, unit: str, amount: int, ways: Mapping[str, Callable[[], object]]) -> None:
    """Time the ways in turns and print how much each does in a second; the ratio is to the first."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            start = perf_counter()
            way()
            seconds[name].append(perf_counter() - start)
    first = median(next(iter(seconds.values())))
    click.echo(f"\n{title}\n{'':<44}{unit + '/s':>14}{'µs each':>10}{'ratio':>8}{'spread':>9}")
    for name, runs in seconds.items():
        middle = median(runs)
        spread = (max(runs) - min(runs)) / middle
        click.echo(
            f"{name:<44}{amount / middle:>14,.0f}{middle / amount * 1e6:>10.2f}{first / middle:>8.2f}{spread:>9.0%}"
        )


def bench_tokenizer() -> None:
    """A pattern and a dictionary against chunks that are remembered, against Arrow's kernels."""
    import pyarrow as pa
    import pyarrow.compute as pc

    corpus = texts()
    fitted = Tokenizer.fit(corpus)
    pattern = re.compile(r"\w+|[^\w\s]")
    ids = {word: index for index, word in enumerate(fitted.words)}
    words = pa.array(fitted.words)

    def by_pattern() -> None:
        for text in corpus:
            np.array([ids.get(token, UNK_ID) for token in pattern.findall(text.lower())], dtype=np.int32)

    def by_arrow() -> None:
        spaced = pc.replace_substring_regex(pc.utf8_lower(pa.array(corpus)), r"([^\p{L}\p{M}\p{N}_\s])", r" \1 ")
        pc.index_in(pc.utf8_split_whitespace(spaced).values, value_set=words)

    def by_new_chunks() -> None:
        tokenizer = Tokenizer(fitted.words[2:])
        for text in corpus:
            tokenizer.encode(text)

    ways: dict[str, Callable[[], object]] = {
        r"re.findall(\w+|[^\w\s]), dictionary": by_pattern,
        "chunks, a new tokenizer": by_new_chunks,
        "chunks, remembered": lambda: [fitted.encode(text) for text in corpus],
        "pyarrow kernels (another 0.1 s to import)": by_arrow,
    }
    tokens = sum(len(fitted.encode(text)) for text in corpus)
    compare(f"tokenizing {len(corpus):,} BBC articles, {tokens:,} tokens, one process", "tokens", tokens, ways)


def bench_store() -> None:
    """torch.save and torch.load against ours, and the packed copy."""
    generator = np.random.default_rng(0)
    documents = 2_000
    ids = [generator.integers(2, 30_000, 200, dtype=np.int32) for _ in range(documents)]
    as_tensors = [torch.from_numpy(run) for run in ids]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.pt" for number in range(documents)]
        ways: dict[str, Callable[[], object]] = {
            "torch.save": lambda: [torch.save(run, path) for run, path in zip(as_tensors, paths, strict=True)],
            "textclf.store.tensors.write": lambda: [
                tensors.write(path, run) for run, path in zip(ids, paths, strict=True)
            ],
        }
        compare(f"writing {documents:,} documents of 200 tokens", "documents", documents, ways)
        layout = packed.Layout(Path(folder) / "packed")
        packed.write(layout, ids)
        packed.finish(layout, np.full(documents, 200, dtype=np.int32), fingerprint="")
        files, copy = (
            TensorFiles(np.array([str(path) for path in paths]), np.array([tensors.checksum(run) for run in ids])),
            packed.read(layout),
        )
        batches = generator.permutation(documents).reshape(-1, 50)
        ways = {
            "torch.load(weights_only=True)": lambda: [torch.load(path, weights_only=True) for path in paths],
            "textclf.store.tensors.read": lambda: [tensors.read(path) for path in paths],
            "files, batches of 50": lambda: [files.gather(batch) for batch in batches],
            "packed, batches of 50": lambda: [copy.gather(batch) for batch in batches],
        }
        compare(f"reading {documents:,} documents of 200 tokens, from the page cache", "documents", documents, ways)


BENCHES = {"tokenizer": bench_tokenizer, "store": bench_store}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
def main(names: tuple[str, ...]) -> None:
    """Measure what the choices in the code rest on."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "pyarrow"))
    click.echo(
        f"Python {platform.python_version()}, {versions}; {platform.machine()}, {torch.get_num_threads()} threads"
    )
    for name in names or BENCHES:
        BENCHES[name]()


if __name__ == "__main__":
    main()
