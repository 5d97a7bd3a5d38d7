"""Times parts of textclf inside one process, to explain the times of whole processes.

Run as a script, by `speed.parts.measured_inside`: prints the seconds of each way and turn as JSON. Only this file calls
the code of textclf. It is a process of its own because it imports torch: the process that measures memory must not,
since pages of libraries that several processes map count only in part for each.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

Ways = dict[str, Callable[[], object]]

DOCUMENTS: Final = 2_000
TOKENS: Final = 200  # of each of them
BATCH: Final = 50
FILES: Final = 20_000
READ_BY_LSTM: Final = 5  # one of this many documents of Reuters R8, so that an epoch takes seconds


def seconds(ways: Ways, repeats: int) -> dict[str, list[float]]:
    """Time the ways in turns, A B A B; returns the seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            begin = perf_counter()
            way()
            taken[name].append(perf_counter() - begin)
    return taken


def tokenizer(repeats: int, _folder: Path) -> dict[str, Any]:
    """Time our tokenizer, without and with its cache, a regular expression with a dictionary, and Arrow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from textclf.sources import SourceOptions, load
    from textclf.text.tokenizer import UNK_ID, Tokenizer

    corpus = [document.text for document in load("bbc_news", options=SourceOptions()).splits["train"]]
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

    def by_new() -> None:
        new = Tokenizer(fitted.words[2:])
        for text in corpus:
            new.encode(text)

    amount = sum(len(fitted.encode(text)) for text in corpus)
    ways: Ways = {
        "pattern": by_pattern,
        "arrow": by_arrow,
        "new": by_new,
        "remembering": lambda: [fitted.encode(text) for text in corpus],
    }
    return {"amount": amount, "seconds": seconds(ways, repeats)}


def store(repeats: int, folder: Path) -> dict[str, Any]:
    """Time tensor files written and read by torch and by us, and reads of the packed copy. No file is overwritten."""
    import torch

    from textclf.dataset import tensors

    generator = np.random.default_rng(0)
    ids = [generator.integers(2, 30_000, TOKENS, dtype=np.int32) for _ in range(DOCUMENTS)]
    as_tensors = [torch.from_numpy(run) for run in ids]
    batches = generator.permutation(DOCUMENTS).reshape(-1, BATCH)
    copy = _packed(folder, ids)
    new = _new_paths(folder)
    known = next(new)
    for path, run in zip(known, ids, strict=True):
        tensors.write_tensor(path, run)

    def save_by_torch() -> None:
        for path, run in zip(next(new), as_tensors, strict=True):
            torch.save(run, path)

    ways: Ways = {
        "torch.save": save_by_torch,
        "write": lambda: [tensors.write_tensor(path, run) for path, run in zip(next(new), ids, strict=True)],
        "torch.load": lambda: [torch.load(path, weights_only=True) for path in known],
        "read": lambda: [tensors.read_tensor(path) for path in known],
        "packed": lambda: [copy.gather(batch) for batch in batches],
    }
    return {"amount": DOCUMENTS, "seconds": seconds(ways, repeats)}


def _packed(folder: Path, ids: Sequence[NDArray[np.int32]]) -> Any:
    """The packed copy of documents, as one part."""
    from textclf.dataset import packed, parts

    layout = packed.PackedLayout(folder / "packed")
    packed.prepare(layout)
    packed.write_part(layout, 0, ids)
    lengths = np.array(list(map(len, ids)), dtype=np.int32)
    return packed.PackedTokens(layout, lengths, parts.Parts.of(len(ids)))


def _new_paths(folder: Path) -> Iterator[list[Path]]:
    """Yield the paths of all documents, in a new folder each time."""
    for number in count():
        (folder / str(number)).mkdir()
        yield [folder / str(number) / f"{document}.pt" for document in range(DOCUMENTS)]


def encode(_repeats: int, source: Path) -> dict[str, Any]:
    """Time a new tokenizer with a known vocabulary on the texts of a CSV file, once, in this process."""
    from textclf.text.tokenizer import Tokenizer

    with source.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    new = Tokenizer(Tokenizer.fit(texts, max_vocab=100_000).words[2:])
    ways: Ways = {"tokenizer": lambda: [new.encode(text) for text in texts]}
    return {"amount": len(texts), "seconds": seconds(ways, 1)}


def files(_repeats: int, folder: Path) -> dict[str, Any]:
    """Time opening, writing and closing one file per document of TOKENS tokens, once: the limit of the disk."""
    content = bytes(4 * TOKENS + 900)  # the size of a tensor file
    folders = [folder / f"{number:02x}" for number in range(256)]
    for each in folders:
        each.mkdir()

    def write() -> None:
        for number in range(FILES):
            file = os.open(f"{folders[number % 256]}/{number}", os.O_WRONLY | os.O_CREAT)
            os.write(file, content)
            os.close(file)

    return {"amount": FILES, "seconds": seconds({"files": write}, 1)}


def lstm(repeats: int, folder: Path) -> dict[str, Any]:
    """Time an epoch of the lstm in batches of documents of similar length, and in random order."""
    from textclf.system import startup

    startup.configure_program()  # as `textclf train` does
    import torch

    from textclf.models.lstm import network as model_file
    from textclf.models.sequences.batch import collate as make_batch
    from textclf.models.sequences.features import Sequences
    from textclf.training import batches as loading

    dataset, fitted = _reuters(folder)
    lengths, documents = dataset.lengths, len(dataset)
    longest = min(256, int(np.percentile(lengths, 95)))  # as `textclf train` chooses it
    collate = partial(make_batch, inputs=Sequences.of(fitted, max_length=longest))
    sizes: dict[str, Any] = {"vocabulary": fitted.size, "classes": int(dataset.labels.max()) + 1}
    presets: dict[str, Any] = {"embedding_size": 128, "hidden_size": 96, "dropout": 0.5, "word_dropout": 0.2}
    model = model_file.LSTMClassifier(**sizes, **presets)

    def batches(known: Any) -> Any:
        sampler = loading.EpochSampler(documents, batch_size=64, seed=0, lengths=known)
        return loading.make_loader(dataset, sampler, collate, num_workers=0, device=torch.device("cpu"))

    ways: Ways = {
        "unsorted": partial(_epoch, model, batches(None)),
        "by length": partial(_epoch, model, batches(np.minimum(lengths, longest))),
    }
    return {"amount": documents, "seconds": seconds(ways, repeats)}


def _reuters(folder: Path) -> tuple[Any, Any]:
    """A dataset of every fifth document of Reuters R8, packed in the folder, and its tokenizer."""
    from textclf.sources import SourceOptions, load
    from textclf.text.tokenizer import Tokenizer
    from textclf.training import batches as loading

    documents = list(load("reuters_r8", options=SourceOptions()).splits["train"])[::READ_BY_LSTM]
    labels = sorted({str(document.label) for document in documents})
    fitted = Tokenizer.fit(document.text for document in documents)
    ids = [fitted.encode(document.text) for document in documents]
    lengths = np.array([len(run) for run in ids])
    classes = np.array([labels.index(str(document.label)) for document in documents])
    return loading.TokenDataset(_packed(folder, ids), np.arange(len(ids)), classes, lengths), fitted


def _epoch(model: Any, batches: Any) -> None:
    """Train for one epoch."""
    import torch
    from torch.nn.functional import cross_entropy

    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    model.train()
    for batch in batches:
        logits = model(batch)  # (V, B, C)
        loss = cross_entropy(logits.mT, batch.labels.expand(len(logits), -1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


PARTS: Final = {"tokenizer": tokenizer, "store": store, "encode": encode, "files": files, "lstm": lstm}


@click.command()
@click.argument("part", type=click.Choice(list(PARTS)))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--repeats", default=1)
def main(part: str, path: Path, repeats: int) -> None:
    """Measure a part and print the seconds of each way as JSON."""
    json.dump(PARTS[part](repeats, path), sys.stdout)


if __name__ == "__main__":
    main()
