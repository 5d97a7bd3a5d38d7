"""Rows in, answers out: one each, in order, whatever the rows are and wherever the answers go."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from sklearn.metrics import f1_score

from textclf.artefacts import loading, model_folder
from textclf.artefacts.artefact import Abstention
from textclf.cli import main
from textclf.errors import ClosedPipeError

pytestmark = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)

TEXTS = ["the cat sat", "bread and butter", "rain and wind", "qqq", "quux", "a dog barks number3"]
GOLD = ["animals", "food", "weather", "food", "food", "food"]


def predict(run: Path, *options: object, given: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["predict", "--run", str(run), "--num-workers", "1", *map(str, options)], given)


def done(run: Path, *options: object, given: bytes = b"") -> Result:
    result = predict(run, *options, given=given)
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result


def write_csv(rows: list[tuple[str, ...]]) -> Path:
    with Path("rows.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return Path("rows.csv")


@pytest.fixture
def table() -> Path:
    return write_csv([("key", "text", "label"), *((f"k{n}", *row) for n, row in enumerate(zip(TEXTS, GOLD)))])  # noqa: B905


def test_every_format_reads_the_same_rows(run_dir: Path, table: Path) -> None:
    records = [{"key": f"k{n}", "text": text, "label": GOLD[n]} for n, text in enumerate(TEXTS)]
    Path("rows.tsv").write_text(table.read_text().replace(",", "\t"))
    Path("rows.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    Path("rows.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    Path("rows.ft").write_text("".join(f"__label__{r['label']} {r['text']}\n" for r in records))
    pq.write_table(pa.Table.from_pylist(records), "rows.parquet")
    expected = done(run_dir, *["-"], given=Path("rows.txt").read_bytes()).stdout
    for name in ("csv", "tsv", "jsonl", "parquet", "txt", "ft"):
        found = done(run_dir, "--input", f"rows.{name}")
        assert found.stdout == expected, name
        assert ("accuracy" in found.stderr) == (name != "txt")
    for kind, name in (("csv", "csv"), ("jsonl", "jsonl"), ("fasttext", "ft"), ("lines", "txt"), ("auto", "txt")):
        piped = done(run_dir, "--input", "-", "--input-format", kind, given=Path(f"rows.{name}").read_bytes())
        assert piped.stdout == expected, kind


def test_every_format_of_answers_says_the_same(run_dir: Path, table: Path) -> None:
    options = ["--input", table, "--id-column", "key", "--top-k", "2"]
    records = [json.loads(line) for line in done(run_dir, *options, "--format", "jsonl").stdout.splitlines()]
    assert [record["key"] for record in records] == [f"k{n}" for n in range(len(TEXTS))]
    assert set(records[0]) == {"key", "label", "probability", "top", "unknown", "truncated", "unlike"}
    assert [record["unknown"] for record in records][3:5] == [1, 1]
    as_json = done(run_dir, *options, "--format", "json").stdout
    assert json.loads(as_json) == records
    assert as_json == json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    rows = list(csv.DictReader(io.StringIO(done(run_dir, *options, "--format", "csv").stdout)))
    done(run_dir, *options, "--format", "parquet", "--output", "out.parquet")
    typed = pq.read_table("out.parquet").to_pylist()
    assert list(rows[0]) == list(typed[0])
    lines = done(run_dir, *options, "--format", "fasttext").stdout.splitlines()
    for record, row, cells, line in zip(records, rows, typed, lines, strict=True):
        first, second = record["top"]
        assert (row["key"], row["label"], row["label_2"]) == (record["key"], first["label"], second["label"])
        assert float(row["probability_2"]) == pytest.approx(second["probability"], abs=1e-6)
        assert (row["unlike"], row["error"]) == (str(record["unlike"]).lower(), "")
        assert cells["probability"] == first["probability"]
        assert (cells["unlike"], cells["error"]) == (record["unlike"], None)
        words = line.split(" ")
        assert words[::2] == [f"__label__{first['label']}", f"__label__{second['label']}"]
        assert [float(word) for word in words[1::2]] == pytest.approx(
            [first["probability"], second["probability"]], 1e-5
        )
    only = done(run_dir, "--input", table, "--format", "fasttext").stdout.splitlines()
    assert only == [f"__label__{record['label']}" for record in records]


BROKEN = b'{"text": "the cat"}\n{"text": \n{"text": "\xff"}\n\n{"txt": 1}\n{"text": "rain"}\n'


@pytest.mark.parametrize("layout", ["text", "fasttext", "jsonl", "json", "csv", "parquet"])
def test_a_bad_row_has_its_error_in_its_place_and_is_counted(run_dir: Path, layout: str) -> None:
    Path("rows.jsonl").write_bytes(BROKEN)
    result = done(run_dir, "--input", "rows.jsonl", "--format", layout, "--output", "out")
    assert result.stdout == ""
    assert result.stderr.startswith("textclf: 4 of 6 rows could not be read, the first: rows.jsonl:2: not JSON")
    if layout in ("text", "fasttext"):
        found = [bool(line) for line in Path("out").read_text().split("\n")[:-1]]
    elif layout == "parquet":
        found = [row["error"] is None for row in pq.read_table("out").to_pylist()]
    elif layout == "csv":
        found = [not row["error"] for row in csv.DictReader(io.StringIO(Path("out").read_text()))]
    else:
        text = Path("out").read_text()
        values = json.loads(text) if layout == "json" else [json.loads(line) for line in text.splitlines()]
        found = ["error" not in value for value in values]
        assert values[1]["label"] is None
        assert "rows.jsonl:2" in values[1]["error"]
    assert found == [True, False, False, False, False, True]


def test_strict_stops_at_a_bad_row_and_leaves_no_output(run_dir: Path) -> None:
    Path("rows.jsonl").write_bytes(BROKEN)
    result = predict(run_dir, "--input", "rows.jsonl", "--strict", "--format", "csv", "--output", "out.csv")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("textclf: rows.jsonl:2: not JSON")
    assert {path.name for path in Path().iterdir()} == {"rows.jsonl"}


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--input", "-", "--format", "parquet"], "add --output FILE"),
        (["--input", "-", "--input-format", "parquet"], "Parquet is not read from a pipe"),
        (["--input", "-", "--text-column", "text"], "lines have no columns: leave out --text-column"),
        (["--input", "rows.csv", "--text-column", "body"], "no column 'body'; rows.csv has the columns text"),
        (["--input", "rows.csv", "--output", "rows.csv"], "rows.csv is also the input"),
        (["--input", "rows.csv", "--output", "gone/out.csv"], "no such folder: gone"),
        (["--input", "rows.csv", "--output", "a_pipe"], "a_pipe is not a file but a pipe or a device"),
    ],
)
def test_contradicting_options_are_refused(run_dir: Path, options: list[str], part: str) -> None:
    write_csv([("text",), ("rain",)])
    os.mkfifo("a_pipe")
    result = predict(run_dir, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert part in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_output_that_is_a_link_stays_one(run_dir: Path, table: Path) -> None:
    Path("elsewhere").mkdir()
    Path("out.txt").symlink_to("elsewhere/labels.txt")
    done(run_dir, "--input", table, "--output", "out.txt")
    assert Path("out.txt").is_symlink()
    assert Path("elsewhere/labels.txt").read_text() == done(run_dir, "--input", table).stdout


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the device is not there")
def test_a_full_disk_behind_stdout_is_named(run_dir: Path) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "textclf", "predict", "--run", str(run_dir), "rain"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert result.returncode == 5
    assert result.stderr == b"textclf: no space left to write stdout; free some and run the command again\n"


def test_the_score_is_that_of_scikit_learn(run_dir: Path, table: Path) -> None:
    result = done(run_dir, "--input", table)
    said = result.stdout.splitlines()
    right = sum(one == other for one, other in zip(GOLD, said, strict=True))
    macro = f1_score(GOLD, said, average="macro", zero_division=0)
    assert result.stderr == (f"textclf: accuracy {right / 6:.4f}, macro-F1 {macro:.4f} on 6 rows with a label\n")


def test_several_labels_of_fasttext_are_one_warning(run_dir: Path) -> None:
    given = b"__label__food __label__animals bread\n__label__a __label__b rain\n"
    result = done(run_dir, "--input", "-", "--input-format", "fasttext", given=given)
    assert result.stderr.count("more than one label") == 1


# Rows without an answer


@pytest.fixture
def sure_from(run_dir: Path, tmp_path: Path) -> Callable[[dict[str, float] | None], Path]:
    """Makes a copy of the model with other thresholds."""

    def make(thresholds: dict[str, float] | None) -> Path:
        trained = replace(loading.load(run_dir / "model"), abstention=Abstention(thresholds, unlike=0.9))
        model_folder.save(tmp_path / "copied", trained, card="")
        return tmp_path / "copied"

    return make


@pytest.mark.parametrize("layout", ["text", "fasttext", "jsonl", "csv", "parquet"])
def test_an_improbable_answer_has_no_label(run_dir: Path, table: Path, layout: str) -> None:
    records = [json.loads(line) for line in done(run_dir, "--input", table, "--format", "jsonl").stdout.splitlines()]
    limit = sorted(record["probability"] for record in records)[2]
    expected = [None if record["probability"] < limit else record["label"] for record in records]
    assert None in expected
    options = ["--input", table, "--reject-below", limit, "--format", layout, "--output", "out"]
    result = done(run_dir, *options)
    given = sum(label is not None for label in expected)
    assert result.stderr.startswith(f"textclf: {given} of 6 rows have an answer ({given / 6:.2%})\ntextclf: accuracy ")
    assert result.stderr.endswith(f"on {given} rows with a label and an answer\n")
    if layout == "parquet":
        rows = pq.read_table("out").to_pylist()
    elif layout == "csv":
        rows = list(csv.DictReader(io.StringIO(Path("out").read_text())))
    elif layout == "jsonl":
        rows = [json.loads(line) for line in Path("out").read_text().splitlines()]
    else:
        rows = [{"label": line.removeprefix("__label__")} for line in Path("out").read_text().split("\n")[:-1]]
    assert [row["label"] or None for row in rows] == expected
    if layout not in ("text", "fasttext"):
        assert [str(row["rejected"]).lower() == "true" for row in rows] == [label is None for label in expected]
        assert all(float(row["probability"]) > 0 for row in rows)


def test_a_target_precision_takes_the_threshold_of_the_next_higher_one(
    run_dir: Path, table: Path, sure_from: Callable[[dict[str, float] | None], Path]
) -> None:
    probabilities = [
        json.loads(line)["probability"]
        for line in done(run_dir, "--input", table, "--format", "jsonl").stdout.splitlines()
    ]
    middle = sorted(probabilities)[3]
    model = sure_from({"0.8": 0.0, "0.9": middle})
    for target, least in ((0.5, 0), (0.8, 0), (0.81, middle), (0.9, middle)):
        lines = done(model, "--input", table, "--target-precision", target).stdout.split("\n")[:-1]
        is_unlike = [text in ("qqq", "quux") for text in TEXTS]
        expected = [p >= least and not unlike for p, unlike in zip(probabilities, is_unlike, strict=True)]
        assert [bool(line) for line in lines] == expected


@pytest.mark.parametrize(
    ("thresholds", "part"),
    [
        ({}, "a precision of 0.95 was not shown on the validation documents (none is)"),
        ({"0.7": 0.5, "0.9": 0.8}, "a precision of 0.95 was not shown on the validation documents (0.9 is the highest"),
    ],
)
def test_a_precision_that_no_threshold_has_is_refused(
    sure_from: Callable[[dict[str, float] | None], Path],
    run_dir: Path,
    thresholds: dict[str, float] | None,
    part: str,
) -> None:
    result = predict(sure_from(thresholds), "rain", "--target-precision", "0.95")
    assert (result.exit_code, result.stdout) == (2, "")
    assert part in result.stderr


# Many rows


ODD = 11, 13, 17
"""Each so many rows are empty, broken, or no UTF-8."""


def row(number: int, *, huge: int) -> bytes:
    if number % huge == huge - 1:
        return b'{"id": %d, "text": "%s"}\n' % (number, b"rain wind " * 20_000)
    if number == 1_234:
        return b'{"id": 1234, "text": "' + b"x" * 10_000_000 + b'"}\n'
    words = b"" if number % ODD[0] == 0 else b"the cat and number%d" % (number % 9)
    if number % ODD[1] == 0:
        return b'{"id": %d, "text": "%s\n' % (number, words)
    if number % ODD[2] == 0:
        return b'{"id": %d, "text": "%s \xff"}\n' % (number, words)
    return b'{"id": %d, "text": "%s"}\n' % (number, words)


def is_bad(number: int, *, huge: int) -> bool:
    if number % huge == huge - 1:
        return False
    return number == 1_234 or any(number % odd == 0 for odd in ODD)


def piped(run: Path, count: int, *, huge: int) -> tuple[int, str, int]:
    """Send rows through a pipe and check each answer; returns the exit code, stderr, and the most memory in KB."""
    command = [sys.executable, "-m", "textclf", "predict", "--run", str(run), "--num-workers", "2", "--input", "-"]
    more = ["--input-format", "jsonl", "--id-column", "id", "--format", "jsonl"]
    with Path("said").open("w+b") as said:
        process = subprocess.Popen([*command, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)

        def send() -> None:
            with process.stdin:
                for number in range(count):
                    process.stdin.write(row(number, huge=huge))

        sender = Thread(target=send)
        sender.start()
        answered = 0
        for answered, line in enumerate(process.stdout, start=1):
            answer = json.loads(line)
            number = answered - 1
            assert ("error" in answer) == is_bad(number, huge=huge)
            assert answer["id"] in (str(number), None)
            if "error" in answer:
                assert answer["error"].startswith(f"stdin:{answered}: ")
            else:
                assert answer["id"] == str(number)
                assert answer["label"]
        assert answered == count
        sender.join()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        said.seek(0)
        return process.returncode, said.read().decode(), used.ru_maxrss


@pytest.mark.slow
@pytest.mark.parametrize(
    ("few", "many", "huge"),
    [(0, 3_000, 1_499), pytest.param(100_000, 1_000_000, 9_999, marks=pytest.mark.long)],
)
def test_as_many_answers_come_out_as_rows_go_in(run_dir: Path, few: int, many: int, huge: int) -> None:
    """Among them empty, huge and broken ones; ten times as many rows take no more memory."""
    before = piped(run_dir, few, huge=huge)[2] if few else None
    code, said, after = piped(run_dir, many, huge=huge)
    bad = sum(is_bad(number, huge=huge) for number in range(many))
    assert code == 0
    assert said.startswith(f"textclf: {bad:,} of {many:,} rows could not be read, the first: stdin:1: ")
    if before is not None:
        print(f"{few:,} rows: {before:,} KB; {many:,} rows: {after:,} KB")
        assert after < 1.25 * before


@pytest.mark.slow
@pytest.mark.parametrize("count", [4_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_closed_pipe_ends_it_quietly_and_loses_nothing_that_was_written(run_dir: Path, count: int) -> None:
    lines = [f"{TEXTS[number % len(TEXTS)]} number{number}" for number in range(count)]
    Path("texts.txt").write_text("\n".join(lines) + "\n")
    command = [
        sys.executable,
        "-m",
        "textclf",
        "predict",
        "--run",
        str(run_dir),
        "--input",
        "texts.txt",
        "--top-k",
        "2",
    ]
    whole = subprocess.run(command, capture_output=True, timeout=600, check=True).stdout
    assert whole.count(b"\n") == count
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    read = b"".join(process.stdout.readline() for _ in range(count // 2))
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == ClosedPipeError.exit_code
    assert read.count(b"\n") == count // 2
    assert whole.startswith(read)


# --keep-columns


def kept(run: Path, content: str, *options: object, name: str = "rows.csv") -> list[list[str]]:
    Path(name).write_text(content)
    wanted = options or ("--format", "csv")
    return list(csv.reader(io.StringIO(done(run, "--input", name, "--keep-columns", *wanted).stdout)))


def test_all_columns_are_copied_and_the_answers_follow(run_dir):
    header, *rows = kept(run_dir, 'id,label,text,note\n7,food,"the cat, sat",a\n8,food,bread,"b\nc"\n')
    assert header[:6] == ["id", "label", "text", "note", "predicted_label", "probability"]
    assert [row[:5] for row in rows] == [
        ["7", "food", "the cat, sat", "a", "animals"],
        ["8", "food", "bread", "b\nc", "food"],
    ]


def test_rows_with_an_error_keep_the_cells_that_are_known(run_dir):
    header, *rows = kept(run_dir, "text\tnote\n \tempty\nthe cat sat\ta\tb\nthe cat sat\tlast\n", name="rows.tsv")
    assert [row[:3] for row in rows] == [[" ", "empty", ""], ["", "", ""], ["the cat sat", "last", "animals"]]
    assert [bool(row[header.index("error")]) for row in rows] == [True, True, False]


def test_columns_without_a_name_are_copied_all(run_dir):
    header, row = kept(run_dir, ",text,,\n1,the cat sat,2,3\n")
    assert (header[:4], row[:4]) == (["column_1", "text", "column_3", "column_4"], ["1", "the cat sat", "2", "3"])


def test_names_of_ours_that_the_file_has_get_a_prefix(run_dir):
    header, row = kept(run_dir, "text,probability,predicted_label,error\nthe cat sat,x,y,z\n")
    assert header[:4] == ["text", "probability", "predicted_label", "error"]
    assert header[4:6] == ["predicted_predicted_label", "predicted_probability"]
    assert header[-1] == "predicted_error"
    assert len(set(header)) == len(header) == len(row)


def test_formulas_in_copied_cells_and_names_are_escaped_for_a_spreadsheet(run_dir):
    header, row = kept(run_dir, "text,=1+1\nthe cat sat,=2+2\n", "--format", "spreadsheet")
    assert (header[1], row[1]) == ("'=1+1", "'=2+2")


def test_what_cannot_be_copied_is_refused_in_one_line(run_dir):
    Path("rows.csv").write_text("text\nrain\n")
    Path("rows.jsonl").write_text('{"text": "rain"}\n')
    os.mkfifo("pipe.csv")
    Path("others.csv").write_text("text,note\nrain,a\n")
    Path("lines.txt").write_text("rain\nthe cat sat\n")
    for options, problem in (
        (("--input", "rows.csv"), "--format csv, spreadsheet, parquet, jsonl or json"),
        (("--input", "rows.csv", "--format", "fasttext"), "--format csv, spreadsheet, parquet, jsonl or json"),
        (("--input", "-", "--format", "csv"), "needs files, not pipes, for --format csv"),
        (("--input", "pipe.csv", "--format", "csv"), "needs files, not pipes, for --format csv"),
        (("rain", "--format", "csv"), "name them with --input FILE"),
        (("--input", "rows.jsonl", "--format", "csv"), "rows.jsonl is jsonl, whose objects may have any fields"),
        (("--input", "lines.txt", "--format", "jsonl"), "lines.txt has a text per line and no columns to keep"),
        (("--input", "rows.csv", "--input", "others.csv", "--format", "csv"), "others.csv has other columns than"),
    ):
        result = predict(run_dir, "--keep-columns", *options)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.stderr
        assert problem in result.stderr


def test_an_object_is_copied_with_its_values_as_they_are(run_dir):
    line = '{"id": 1, "text": "the cat sat", "label": "x", "price": 1.50, "more": {"a": [1e2, null, true, "1"]}}'
    Path("rows.jsonl").write_text(f'{line}\n{{"text": \n{{"text": " ", "n": 2}}\n')
    done(run_dir, "--input", "rows.jsonl", "--keep-columns", "--format", "jsonl", "--output", "out.jsonl")
    first, broken, empty = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert list(first)[:7] == ["id", "text", "label", "price", "more", "predicted_label", "probability"]
    assert {name: first[name] for name in json.loads(line)} == json.loads(line)
    assert first["predicted_label"] == "animals"
    assert list(broken) == ["predicted_label", "probability", "top", "error"]
    assert (empty["n"], empty["predicted_label"], empty["error"]) == (2, None, "rows.jsonl:3: the text is empty")
    piped = predict(
        run_dir, "--input", "-", "--input-format", "jsonl", "--keep-columns", "--format", "jsonl", given=line.encode()
    )
    assert json.loads(piped.stdout) == first


def test_columns_of_parquet_keep_their_types_and_columns_of_csv_become_objects(run_dir):
    columns = {"text": ["the cat sat", "rain"], "n": [1, None], "when": [date(2026, 1, 2)] * 2, "tags": [["a"], []]}
    pq.write_table(pa.table(columns), "rows.parquet")
    done(run_dir, "--input", "rows.parquet", "--keep-columns", "--format", "parquet", "--output", "out.parquet")
    typed = pq.read_table("out.parquet")
    assert typed.select(list(columns)).equals(pa.table(columns))
    assert typed["predicted_label"].to_pylist() == ["animals", "weather"]
    header, *rows = csv.reader(
        io.StringIO(done(run_dir, "--input", "rows.parquet", "--keep-columns", "--format", "csv").stdout)
    )
    assert header[:5] == ["text", "n", "when", "tags", "predicted_label"]
    assert [row[:4] for row in rows] == [["the cat sat", "1", "2026-01-02", '["a"]'], ["rain", "", "2026-01-02", "[]"]]
    Path("rows.csv").write_text("text,n\nthe cat sat,01\n")
    found = json.loads(done(run_dir, "--input", "rows.csv", "--keep-columns", "--format", "json").stdout)
    assert (found[0]["text"], found[0]["n"], found[0]["predicted_label"]) == ("the cat sat", "01", "animals")
    done(run_dir, "--input", "rows.csv", "--keep-columns", "--format", "parquet", "--output", "out.parquet")
    assert pq.read_table("out.parquet").to_pylist()[0]["n"] == "01"


def test_files_with_the_same_columns_are_copied_one_after_the_other(run_dir):
    for number in range(3):
        Path(f"part-{number}.csv").write_text(f"text,n\nrain,{number}\n")
    rows = done(run_dir, "--input", "part-*.csv", "--keep-columns", "--format", "csv").stdout.splitlines()
    assert [row.split(",")[:2] for row in rows] == [["text", "n"], *(["rain", str(number)] for number in range(3))]


def test_an_object_that_is_nested_too_deeply_is_refused_in_one_line(run_dir):
    deep = "[" * 900 + "]" * 900
    Path("rows.jsonl").write_text(f'{{"text": "rain", "deep": {deep}}}\n')
    result = predict(run_dir, "--input", "rows.jsonl", "--keep-columns", "--format", "jsonl")
    assert (result.exit_code, result.stderr.count("\n")) in ((3, 1), (0, 0)), result.stderr
    assert predict(run_dir, "--input", "rows.jsonl", "--format", "jsonl").exit_code == 0


# Ids


@pytest.mark.parametrize("layout", ["csv", "jsonl", "json", "parquet"])
def test_ids_keep_the_name_of_their_column(run_dir, layout):
    Path("rows.csv").write_text("ticket,text\n7,the cat sat\n8,rain\n")
    options = ["--input", "rows.csv", "--id-column", "ticket", "--format", layout, "--output", "out"]
    done(run_dir, *options)
    if layout == "parquet":
        records = pq.read_table("out").to_pylist()
    elif layout == "csv":
        records = list(csv.DictReader(io.StringIO(Path("out").read_text())))
    else:
        content = Path("out").read_text()
        records = json.loads(content) if layout == "json" else list(map(json.loads, content.splitlines()))
    assert [record["ticket"] for record in records] == ["7", "8"]
    assert next(iter(records[0])) == "ticket"
    assert "id" not in records[0]


def test_a_column_of_ids_with_a_name_of_the_answer_keeps_it(run_dir):
    Path("rows.csv").write_text("label,text\n7,the cat sat\n")
    options = ["--input", "rows.csv", "--id-column", "label", "--text-column", "text"]
    assert json.loads(done(run_dir, *options, "--format", "jsonl").stdout)["label"] == "7"
    header, row = csv.reader(io.StringIO(done(run_dir, *options, "--format", "csv").stdout))
    assert (header[:2], row[:2]) == (["label", "predicted_label"], ["7", "animals"])


def test_a_blank_line_of_stdin_has_no_answer_in_a_table(run_dir):
    rows = predict(run_dir, "-", "--format", "csv", given=b"\nrain\n").stdout.splitlines()
    assert (rows[0], rows[1], rows[2].split(",")[0]) == ("label,probability", ",", "weather")
    predict(run_dir, "-", "--format", "parquet", "--output", "out.parquet", given=b"\nrain\n")
    assert pq.read_table("out.parquet")["label"].to_pylist() == [None, "weather"]
