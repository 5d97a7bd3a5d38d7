"""What to label next: the most uncertain texts, near-copies once, labelled ones never."""

import csv
import json
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import textclf
from tests.conftest import TEXTS, invoke
from textclf.cli import main
from textclf.config import SELECT_BY, SelectConfig
from textclf.dataset.directory import DataDirectory
from textclf.experiments import select
from textclf.inference.classifier import Scores, load_model

only_mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
only_mlp_of_several = pytest.mark.parametrize("several_run", ["mlp"], indirect=True)


def scores_of(*probabilities):
    shares = np.array(probabilities, dtype=np.float32)
    none = np.zeros(len(shares))
    return Scores(np.log(np.maximum(shares, 1e-9)), shares, none, none > 0, none > 0, none.astype(int))


def pool(count=300):
    """Texts of words of one label or two, all different."""
    draw = random.Random(0)
    words = " ".join(text for texts in TEXTS.values() for text in texts).replace(",", "").split()
    return [" ".join([*draw.choices(words, k=12), f"n{at}"]) for at in range(count)]


@pytest.mark.parametrize(
    ("by", "expected"),
    [("margin", [0.8, 1.0, 0.0]), ("entropy", [0.8, 1.0, 0.0]), ("least-confidence", [0.4, 0.5, 0.0])],
)
def test_a_measure_is_what_its_source_says(by, expected):
    found = select.uncertainty(scores_of((0.6, 0.4), (0.5, 0.5), (1, 0)), by)
    if by == "entropy":
        expected = [-(0.6 * np.log2(0.6) + 0.4 * np.log2(0.4)), 1, 0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_of_three_labels_measures_differ():
    scores = scores_of((0.5, 0.45, 0.05), (0.4, 0.3, 0.3))
    assert select.uncertainty(scores, "margin").argmax() == 0
    assert select.uncertainty(scores, "entropy").argmax() == 1
    assert select.uncertainty(scores, "entropy").max() <= 1


def test_several_labels_are_judged_each_by_itself():
    scores = scores_of((0.9, 0.29), (0.6, 0.1))
    thresholds = (0.5, 0.3)
    assert select.uncertainty(scores, "margin", thresholds=thresholds) == pytest.approx([0.99, 0.9])
    assert select.uncertainty(scores, "least-confidence", thresholds=thresholds) == pytest.approx([0.29, 0.4])
    pair = [-(p * np.log2(p) + (1 - p) * np.log2(1 - p)) for p in (0.6, 0.1)]
    assert select.uncertainty(scores, "entropy", thresholds=thresholds)[1] == pytest.approx(np.mean(pair), abs=1e-6)


@only_mlp
@pytest.mark.parametrize("by", ["margin", "entropy", "least-confidence"])
def test_the_most_uncertain_are_chosen_in_order(run_dir, by):
    texts = pool()
    model = load_model(run_dir)
    wanted = select.uncertainty(model.scores(texts), by)
    found = textclf.select(texts, n=10, by=by, run=run_dir).chosen
    assert [each.score for each in found] == pytest.approx(sorted(wanted, reverse=True)[:10])
    answers = model.predict([each.text for each in found])
    assert [(each.suggested, each.text) for each in found] == [
        (answer.label, texts[int(each.id)]) for each, answer in zip(found, answers, strict=True)
    ]
    assert [each.probability for each in found] == pytest.approx([answer.probability for answer in answers])


@only_mlp
@pytest.mark.parametrize("by", SELECT_BY)
def test_near_copies_are_chosen_once_and_labelled_texts_never(run_dir, by):
    texts = pool(40)
    long = " ".join(texts[:4])
    copies = [f"{long} {end}" for end in ("", "once", "twice")]
    known = [texts[7].upper(), f"  {texts[8]}\t"]
    given = [*texts, *copies, *texts]
    found = textclf.select(given, n=100, by=by, run=run_dir, labelled=known)
    chosen = [each.text for each in found.chosen]
    assert len(set(chosen)) == len(chosen)
    assert sum(text in copies for text in chosen) == 1
    assert set(chosen) - set(copies) == set(texts) - {texts[7], texts[8]}
    assert (found.rows, found.excluded) == (83, 4)


@only_mlp
def test_random_and_diverse_follow_the_seed(run_dir):
    texts = pool()
    for by in ("random", "diverse"):
        first, again, other = (textclf.select(texts, n=12, by=by, seed=seed, run=run_dir).chosen for seed in (0, 0, 1))
        assert len(first) == 12
        assert first == again
        assert first != other or by == "diverse"


@only_mlp
def test_diverse_is_spread_over_different_texts(run_dir):
    themes = [[f"theme{theme}x{word}" for word in range(8)] for theme in range(5)]
    draw = random.Random(1)
    texts = [f"{' '.join(draw.choices(themes[at % 5], k=8))} {at} {at * 7}" for at in range(50)]
    found = textclf.select(texts, n=5, by="diverse", run=run_dir).chosen
    assert len({int(each.id) % 5 for each in found}) >= 4


@only_mlp
def test_memory_does_not_grow_with_the_pool(run_dir, monkeypatch):
    monkeypatch.setattr(select, "FEWEST", 50)
    model, words = load_model(run_dir), " ".join(pool(9)).split()

    def peak(count):
        draw = random.Random(0)
        texts = (" ".join(draw.choices(words, k=12)) for _ in range(count))
        tracemalloc.start()
        found = select.select(model, select.rows_of_texts(texts), SelectConfig(n=5, by="random"))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.rows == count
        return most

    peak(1_500)  # fills the caches
    assert peak(6_000) < 2 * peak(1_500)


@only_mlp
def test_the_list_goes_back_to_preprocess(run_dir, corpus_csv):
    Path("pool.csv").write_text(
        "".join(f"{line}\n" for line in ["number,words", *(f"t{at},{t}" for at, t in enumerate(pool(30)))])
    )
    options = ["--run", run_dir, "--input", "pool.csv", "--text-column", "words", "--id-column", "number", "--n", 5]
    done = invoke(CliRunner(), "select", *options, "--output", "next.jsonl")
    assert done.stdout == "next.jsonl\n"
    assert "5 texts of 30 rows chosen by margin" in done.stderr
    records = [json.loads(line) for line in Path("next.jsonl").read_text().splitlines()]
    assert all(each["label"] is None and each["id"].startswith("t") for each in records)
    invoke(CliRunner(), "select", *options, "--output", "next.csv")
    rows = list(csv.DictReader(Path("next.csv").read_text().splitlines()))
    assert list(rows[0]) == ["id", "text", "suggested", "probability", "score", "label"]
    assert [row["id"] for row in rows] == [each["id"] for each in records]
    with Path("next.csv").open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"label": row["suggested"]} for row in rows)
    invoke(CliRunner(), "preprocess", corpus_csv, "next.csv", "--name", "more", "--num-workers", 1)
    assert len(DataDirectory.open(Path("data/more")).documents) == 60 + 5


@only_mlp_of_several
def test_of_several_labels_all_are_suggested(several_run):
    found = textclf.select(pool(20), n=5, run=several_run)
    assert found.separator
    assert all(isinstance(each.suggested, tuple) for each in found.chosen)
    found.write(Path("next.csv"))
    assert len(Path("next.csv").read_text().splitlines()) == 6


@only_mlp
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "nothing to choose from: name a file with --input FILE"),
        (["--input", "nowhere.csv"], 2, "nowhere.csv"),
        (["--input", "pool.csv", "--n", "0"], 2, "--n"),
        (["--input", "pool.csv", "--labelled", "nowhere.csv"], 2, "nowhere.csv"),
        (["--input", "pool.csv", "--output", "next.txt"], 2, "name a file that ends in .csv or .jsonl"),
        (["--input", "pool.csv", "--output", "pool.csv"], 2, "pool.csv is also the input"),
        (["--input", "pool.csv", "--strict"], 3, "pool.csv:3: the text is empty"),
    ],
)
def test_bad_input_is_one_line(run_dir, options, code, message):
    Path("pool.csv").write_text('text\nthe cat\n""\nrain\n')
    done = CliRunner().invoke(main, ["select", "--run", str(run_dir), *options])
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1 or code == 2  # a usage error of click's has its usage beside it


@only_mlp
def test_rows_that_cannot_be_read_are_counted(run_dir):
    Path("pool.csv").write_text('text\nthe cat\n""\nrain\n')
    done = invoke(CliRunner(), "select", "--run", run_dir, "--input", "pool.csv")
    assert len(done.stdout.splitlines()) == 3
    assert "1 row could not be read, the first: pool.csv:3: the text is empty" in done.stderr
    assert "no more that differ from each other, of 100 texts asked for" in done.stderr
