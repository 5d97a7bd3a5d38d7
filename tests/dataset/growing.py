"""Small files of documents, and data directories that grow by them."""

import csv

from textclf.config import PreprocessConfig
from textclf.dataset.grow import grow

NEW = {"art": ["she paints a picture in oil", "the museum shows statues", "a concert with horn and drums"]}
FILLER = ["on", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def rows_of(labels, copies, *, word="w"):
    """Documents that are no near-copies of each other: each has several words of its own."""
    return [
        (f"{text} {' '.join(f'{word}{copy}x{n}' for n in range(len(text.split())))} {FILLER[copy % 7]}", label)
        for copy in copies
        for label, texts in labels.items()
        for text in texts
    ]


def write(path, rows, *, ids=None):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label") if ids is None else ("text", "label", "id"))
        writer.writerows(rows if ids is None else [(*row, each) for row, each in zip(rows, ids, strict=True)])
    return path


def add(root, *paths, **given):
    config = PreprocessConfig(add=tuple(map(str, paths)), name=root.name, data_dir=root.parent, num_workers=1, **given)
    return grow(config)[1]
