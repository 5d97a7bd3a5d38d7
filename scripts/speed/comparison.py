"""The table of README.md: textclf and its peers on 20 Newsgroups, a row for each, from the record."""

import re
from collections.abc import Mapping
from typing import Final

from speed import newsgroups, peers, prediction
from speed.figures import FORMATS, Row, Sample
from speed.record import Measured

MEASURES: Final = {
    "training, CSV to model": "20newsgroups, CSV to saved model: time",
    "peak memory": "20newsgroups, CSV to saved model: peak memory",
    "one text, whole process": "one text, whole process",
    "many texts": "20newsgroups test split, after the start",
}
"""The columns after the accuracy, and the measure that each shows."""
NAMES: Final = {
    "**textclf** `mlp`": (newsgroups.OURS, prediction.OURS, "`textclf predict --input`"),
    "TF-IDF + LinearSVC (scikit-learn)": (peers.SVM,),
    "fastText": (peers.FASTTEXT, prediction.FASTTEXT),
    "Vowpal Wabbit": (peers.VW,),
    "LibMultiLabel, linear": (peers.LIBMULTILABEL,),
}
"""The rows, and the names of their samples in the record."""
MISSING: Final = "not measured"


def markdown(sections: Mapping[str, Measured]) -> str:
    """The table, from the medians of the record; cells without a value say so."""
    rows = [Row.from_json(row) for section in sections.values() for row in section["rows"]]
    samples = {
        (row.measure, sample.name): (row.unit, sample) for row in rows for sample in (row.ours, row.against) if sample
    }
    head = ["20 Newsgroups", "test accuracy", *MEASURES]
    lines = [head, ["---"] * len(head)]
    for name, known in NAMES.items():
        found = [next((samples[at, one] for one in known if (at, one) in samples), None) for at in MEASURES.values()]
        lines.append([name, _accuracy(found[0]), *map(_median, found)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _median(found: tuple[str, Sample] | None) -> str:
    if found is None or not found[1].values:
        return MISSING
    unit, sample = found
    return FORMATS[unit](sample.median).replace("documents/s", "texts/s")


def _accuracy(found: tuple[str, Sample] | None) -> str:
    said = re.match(r"([\d.]+)% accurate", found[1].note) if found else None
    return f"{said[1]} %" if said else MISSING
