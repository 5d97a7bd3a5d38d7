"""scripts/scale_model.py: the lines it fits, the corpus it makes, and that docs/scale.md shows what it recorded."""

import json
import re
from pathlib import Path
from typing import Any

import blocks
import numpy as np
import pytest
import scale_model
from scale_model import Command


def made(documents: int) -> dict[str, object]:
    used = Command(1.0 + documents / 1e5, 2.0 + 20e-6 * documents, 100, 1e8 + 120.0 * documents)
    return {
        "documents": documents,
        "corpus": 70 * documents,
        "directory": 95 * documents,
        "preprocess": used._asdict(),
        "epoch": used._asdict(),
    }


RECORD = {
    "date": "2026-11-29",
    "machine": {"processor": "a processor", "cores": 2, "system": "Linux", "gigahertz": 2.5},
    "versions": {"Python": "3.11.7"},
    "runs": [made(documents) for documents in (10**6, 3 * 10**6, 10**7)],
}


def test_a_line_goes_through_what_is_one() -> None:
    line = scale_model.fit(RECORD["runs"], lambda run: run["preprocess"]["processor"])
    assert line.fixed == pytest.approx(2)
    assert line.each == pytest.approx(20e-6)
    assert line.at(10**8) == pytest.approx(2002)


def test_a_line_that_would_begin_below_zero_begins_there() -> None:
    assert tuple(scale_model.fit(RECORD["runs"], lambda run: run["corpus"])) == pytest.approx((0, 70), abs=1e-3)
    curve = scale_model.fit(RECORD["runs"], lambda run: run["documents"] ** 1.5)
    assert curve.fixed == 0


def test_the_tables_show_each_run_and_what_follows() -> None:
    runs = scale_model.measured_table(RECORD).splitlines()
    assert len(runs) == 2 + 2 * 3 + 2
    assert runs[2] == "| 1,000,000 | preprocess --tensors none | 11 s | 22 s | 0 KB | 220 MB |"
    assert runs[-1] == "2026-11-29, a processor, 2 cores at 2.5 GHz, Linux; Python 3.11.7."
    model = scale_model.model_table(RECORD)
    assert "| preprocess, bytes of memory | 220 MB | 1.3 GB | 12.1 GB | 120 GB | 100 MB + 120 bytes |" in model
    assert "| preprocess, processor seconds | 22 s | 3 min | 33 min | 5.6 h | 2 s + 20.0 µs |" in model
    assert "| files and folders (inodes) without tensors | 13 | 83 | 769 | 959 | exact |" in model


def test_the_corpus_has_the_words_of_the_language_and_the_same_bytes_again(tmp_path: Path, monkeypatch: Any) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(scale_model, "WORDS", 20_000)

    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        scale_model.generate(320, tmp_path / name)
    files = sorted((tmp_path / "one").iterdir())
    assert [path.read_bytes() for path in files] == [
        path.read_bytes() for path in sorted((tmp_path / "other").iterdir())
    ]
    rows = [row for path in files for row in pq.read_table(path).to_pylist()]
    assert (len(files), len(rows)) == (16, 320)
    assert {len(row["text"].split()) for row in rows} == {20}
    assert {row["label"] for row in rows} == set(scale_model.LABELS)
    words = set(scale_model.language(np.random.default_rng(0)))
    assert len(words) == scale_model.WORDS
    assert {word for row in rows for word in row["text"].split()} <= words


def test_the_page_shows_what_was_recorded() -> None:
    record = json.loads(scale_model.RECORD.read_text(encoding="utf-8"))
    assert blocks.read(scale_model.MEASURED) == scale_model.measured_table(record)
    assert blocks.read(scale_model.MODEL) == scale_model.model_table(record)
    assert [run["documents"] for run in record["runs"]] == [10**6, 3 * 10**6, 10**7]
    page = (blocks.PROJECT / "docs/scale.md").read_text(encoding="utf-8")
    small, large = record["runs"][0], record["runs"][-1]
    ratio = sum(large[key]["processor"] for key in ("preprocess", "epoch")) / sum(
        small[key]["processor"] for key in ("preprocess", "epoch")
    )
    assert ratio <= 11
    assert f"{ratio:.1f} times" in page
    assert max(large[key]["process"] for key in ("preprocess", "epoch")) <= 1.5e9
    assert re.search(r"10\^6.*10\^9", page)
