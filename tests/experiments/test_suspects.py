"""Labels that are probably wrong, found by models that have not seen the documents."""

import csv
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import textclf
from tests.conftest import TEXTS
from tests.dataset import tables
from textclf.cli import main
from textclf.config import PreprocessConfig, SuspectsConfig
from textclf.dataset.build import preprocess
from textclf.dataset.directory import DataDirectory
from textclf.errors import DataError, InterruptedRunError
from textclf.experiments.suspects import COLUMNS, COLUMNS_OF_SEVERAL, divide, find_suspects

LABELS = list(TEXTS)
WRONG = {3: "food", 50: "animals", 77: "food", 101: "food"}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def rows_of(count=150):
    """Ids, texts of a label's own words, and labels, four of which are wrong."""
    draw = random.Random(0)
    words = {label: " ".join(texts).replace(",", "").split() for label, texts in TEXTS.items()}
    truth = [LABELS[at % 3] for at in range(count)]
    texts = [" ".join([*draw.choices(words[label], k=9), f"n{at}"]) for at, label in enumerate(truth)]
    labels = [WRONG[at] if WRONG.get(at, label) != label else label for at, label in enumerate(truth)]
    return [(f"d{at}", text, label) for at, (text, label) in enumerate(zip(texts, labels, strict=True))], truth


ROWS, TRUTH = rows_of()
FLIPPED = {f"d{at}" for at in WRONG}


def make(rows=ROWS, name="made", **given):
    with Path("texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "text", "label"), *rows])
    config = PreprocessConfig(source="texts.csv", id_column="id", num_workers=1, name=name, tensors="none", **given)
    return DataDirectory.open(preprocess(config)[0])


def kept():
    return [path for path in Path("cache").rglob("*") if path.is_file()]


def test_the_wrong_labels_are_wrong():
    assert {f"d{at}" for at, (_, _, label) in enumerate(ROWS) if label != TRUTH[at]} == FLIPPED


def test_the_wrong_labels_come_first(tmp_path):
    data = make()
    before = {path: path.stat().st_mtime_ns for path in data.layout.root.rglob("*")}
    found = find_suspects(SuspectsConfig(data="made", folds=3, limit=20, device="cpu"))
    assert {each.id for each in found.found[:4]} == FLIPPED
    assert {each.suggested for each in found.found[:4]} == {TRUTH[at] for at in WRONG}
    assert all(each.text == ROWS[int(each.id[1:])][1] for each in found.found)
    assert [each.score for each in found.found] == sorted(each.score for each in found.found)
    assert all(each.given == ROWS[int(each.id[1:])][2] != each.suggested for each in found.found)
    assert (found.documents, found.is_multi, found.notes) == (150, False, [])
    assert 3 <= found.estimate <= 8
    assert found.accuracy > 0.9
    assert {path: path.stat().st_mtime_ns for path in data.layout.root.rglob("*")} == before
    assert not Path("runs").exists()
    assert not kept()


def test_a_stopped_search_goes_on_with_the_folds_that_are_done():
    make()
    config = SuspectsConfig(data="made", folds=3, device="cpu")
    straight = find_suspects(config)

    def stop(batches, title, _total):
        if title == "fold 3 of 3":
            raise InterruptedRunError("stopped")
        return batches

    with pytest.raises(InterruptedRunError):
        find_suspects(config, progress=stop)
    assert sorted(path.name for path in kept()) == ["0.npy", "1.npy"]
    kept()[0].write_bytes(b"damaged")
    told, trained = [], []

    def watch(batches, title, _total):
        trained.append(title)
        return batches

    assert find_suspects(config, progress=watch, tell=told.append) == straight
    assert told == ["resuming: 1 of 3 folds is done"]
    assert len(set(trained)) == 2
    assert not kept()


def test_two_at_a_time_do_not_take_each_other_s_files():
    make()
    config = SuspectsConfig(data="made", folds=3, device="cpu")
    inside = []

    def begin_another(batches, title, _total):
        if title == "fold 3 of 3" and not inside:
            with torch.random.fork_rng():
                inside.append(find_suspects(config))
            assert sorted(path.name for path in kept()) == ["0.npy", "1.npy"]
        return batches

    assert find_suspects(config, progress=begin_another) == inside[0]
    assert not kept()


def test_other_data_starts_anew():
    make()
    config = SuspectsConfig(data="made", folds=2, device="cpu")

    def stop(_batches, _title, _total):
        raise InterruptedRunError("stopped")

    with pytest.raises(InterruptedRunError):
        find_suspects(config, progress=stop)
    make(ROWS[:100], overwrite=True)
    assert find_suspects(config, tell=pytest.fail).documents == 100


def test_folds_have_the_labels_in_their_proportions_and_copies_together():
    copies = [(f"copy{at}", ROWS[at][1], ROWS[at][2]) for at in range(0, 60, 2)]
    data = make([*ROWS, *copies])
    fold = divide(data, folds=5, seed=0)
    assert np.bincount(fold[: len(data.documents)]).min() >= 30
    for number in range(5):
        counts = Counter(data.documents.label[fold == number].tolist())
        assert min(counts.values()) >= 8
    of_id = dict(zip(data.documents.source, fold.tolist(), strict=True))
    assert all(of_id[f"copy{at}"] == of_id[f"d{at}"] for at in range(0, 60, 2))
    assert (divide(data, folds=5, seed=0) == fold).all()
    assert (divide(data, folds=5, seed=1) != fold).any()


def test_labels_that_cannot_be_judged_are_left_out():
    with Path("test.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("id", "text", "label"), ("t0", "the cat runs", "space"), ("t1", "a dog", "animals")]
        )
    make([*ROWS, ("alone", "bread and rain", "mixed")], test=("test.csv",))
    found = find_suspects(SuspectsConfig(data="made", folds=2, limit=1_000, device="cpu"))
    assert found.notes == [
        "1 document has a label that no training document has: left out",
        "1 document is the only one of its label: left out",
    ]
    assert not {"t0", "alone"} & {each.id for each in found.found}


def test_without_the_source_rows_have_no_text():
    make()
    with Path("texts.csv").open("a") as file:
        file.write("d999,rain,weather\n")
    found = find_suspects(SuspectsConfig(data="made", folds=2, device="cpu"))
    assert {each.text for each in found.found} == {None}
    assert found.notes == ["rows have no text: texts.csv is not what made was made from: it has changed"]


def test_several_labels():
    draw = random.Random(1)
    words = {label: " ".join(texts).replace(",", "").split() for label, texts in TEXTS.items()}
    records = []
    for at in range(160):
        labels = draw.sample(LABELS, k=draw.randint(1, 2))
        text = " ".join(word for label in labels for word in draw.choices(words[label], k=7))
        records.append({"id": f"d{at}", "text": text, "labels": sorted(labels)})
    lacking, having = records[5], records[9]
    removed = lacking["labels"].pop()
    added = next(label for label in LABELS if label not in having["labels"])
    having["labels"] = sorted([*having["labels"], added])
    Path("several.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))
    config = PreprocessConfig(source="several.jsonl", id_column="id", num_workers=1, name="made", task="multi")
    data = DataDirectory.open(preprocess(config)[0])
    found = find_suspects(SuspectsConfig(data="made", folds=3, limit=12, device="cpu"))
    assert found.is_multi
    assert ("d5", removed, None) in [(each.id, each.missing, each.wrong) for each in found.found]
    assert ("d9", None, added) in [(each.id, each.missing, each.wrong) for each in found.found]
    found.write("suspects.csv")
    with Path("suspects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS_OF_SEVERAL
    accepted = [row | {"add": row["missing"], "remove": row["wrong"]} for row in rows if row["id"] in ("d5", "d9")]
    Path("reviewed.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in accepted))
    fixed = preprocess(PreprocessConfig(**vars_of(config) | {"corrections": "reviewed.jsonl", "name": "fixed"}))[0]
    labels = labels_by_id(DataDirectory.open(fixed))
    assert removed in labels["d5"]
    assert added not in labels["d9"]
    assert added in labels_by_id(data)["d9"]


def vars_of(config):
    return {name: getattr(config, name) for name in type(config).__dataclass_fields__}


def labels_by_id(data):
    return dict(zip(data.documents.source, tables.labels(data.documents), strict=True))


# From the command line and Python


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_reviewed_list_is_given_back(runner: CliRunner, ending):
    make()
    output = f"suspects.{ending}"
    done = runner.invoke(
        main, ["suspects", "made", "--folds", "3", "--limit", "6", "--output", output, "--device", "cpu"]
    )
    assert (done.exit_code, done.stdout) == (0, f"{output}\n"), done.output
    assert " are wrong by confident learning's estimate; " in done.stderr
    assert "4 rows listed" in done.stderr
    if ending == "csv":
        with Path(output).open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = [json.loads(line) for line in Path(output).read_text().splitlines()]
    assert tuple(rows[0]) == COLUMNS
    assert {row["label"] or None for row in rows} == {row["drop"] or None for row in rows} == {None}
    source = ["preprocess", "texts.csv", "--id-column", "id", "--num-workers", "1", "--name", "fixed"]
    unmarked = runner.invoke(main, [*source, "--corrections", output])
    assert (unmarked.exit_code, unmarked.stdout) == (3, "")
    assert "no row corrects anything" in unmarked.stderr
    for row in rows:
        row["label"] = row["suggested"] if row["id"] in FLIPPED else row["label"]
    with Path("reviewed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=";")  # as spreadsheets of some countries save it
        writer.writeheader()
        writer.writerows(rows)
    assert runner.invoke(main, [*source, "--corrections", "reviewed.csv"]).exit_code == 0
    fixed = labels_by_id(DataDirectory.open(Path("data/fixed")))
    assert fixed == {f"d{at}": label for at, label in enumerate(TRUTH)}
    shown = runner.invoke(main, ["info", "data/fixed"]).stdout
    assert "reviewed.csv" in shown
    assert "labels of 4 documents" in " ".join(shown.split())


def test_without_output_it_is_csv_on_stdout(runner: CliRunner):
    make()
    done = runner.invoke(main, ["suspects", "data/made", "--folds", "2", "--limit", "2", "-q", "--device", "cpu"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert next(csv.reader(done.stdout.splitlines()))[0] == "id"
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["nowhere"], 2, "no data"),
        (["made", "--folds", "1"], 2, "'1' is not a whole number at least 2 and at most 100"),
        (["made", "--limit", "0"], 2, "'0' is not a whole number at least 1"),
        (["made", "--folds", "80"], 3, "150 different documents, too few for 80 folds; name fewer: --folds"),
        (["made", "--output", "list.txt"], 2, "list.txt: name a file that ends in .csv or .jsonl"),
        (["made", "--output", "nowhere/list.csv"], 2, "nowhere/list.csv: there is no folder nowhere"),
        (["made", "--device", "tpu"], 2, "no device 'tpu'"),
    ],
)
def test_mistakes_are_one_line(runner: CliRunner, arguments, code, part):
    make()
    done = runner.invoke(main, ["suspects", *arguments])
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert part in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_is_a_function_of_python():
    data = make().layout.root
    found = textclf.suspects(data, folds=2, limit=5, device="cpu", progress=False)
    assert isinstance(found, textclf.Suspects)
    assert {each.id for each in found.found} == FLIPPED
    with pytest.raises(DataError, match=r"too few for 90 folds; name fewer: folds$"):
        textclf.suspects(data, folds=90)
    with pytest.raises(textclf.TextclfError, match=r"no setting named 'fold'; did you mean folds\?"):
        textclf.suspects(data, fold=3)
