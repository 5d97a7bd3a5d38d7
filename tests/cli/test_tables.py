"""Tables as people have them, through the commands: what loads, what is asked for, and what is said."""

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.conftest import invoke
from tests.reliability.tables import ROWS, delimited, in_every_format
from textclf.cli import main

SMALL = ["--tier", "full", "--epochs", "2", "--hidden-size", "8", "--device", "cpu"]


def preprocess(source: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["preprocess", source, "--num-workers", "1", *options])


def without_header(delimiter: str) -> bytes:
    return delimited([(label, text) for text, label in ROWS], delimiter).partition(b"\r\n")[2]


NO_HEADER = "no header; name the columns in their order: --columns label,text"
IN_QUOTES = [f"{label};'{text}; and {'more; ' * (number % 3)}'\n" for number, (text, label) in enumerate(ROWS)]

UNREAD = [
    ("no header", "f.csv", without_header(","), NO_HEADER),
    ("no header, tabs", "f.tsv", without_header("\t"), NO_HEADER),
    ("no header, bars", "f.csv", without_header("|"), NO_HEADER),
    (
        "single quotes",
        "f.csv",
        "".join(IN_QUOTES).encode(),
        "--delimiter ';' --quote \"'\" --columns label,text",
    ),
    (
        "quotes in TSV",
        "f.tsv",
        delimited([(f"{text}\tand more", label) for text, label in ROWS], "\t"),
        "f.tsv:2: 3 fields, but the header has 2; try --quote '\"'",
    ),
    (
        "quotes that are characters",
        "f.csv",
        b"text,label\n" + b"".join(f'"{text}" they say,{label}\n'.encode() for text, label in ROWS),
        "try --quote none",
    ),
    ("cp1252", "f.csv", delimited([*ROWS, ("café", "a")]).decode().encode("cp1252"), "try --encoding cp1252"),
    ("UTF-16", "f.csv", delimited(ROWS).decode().encode("utf-16"), "try --encoding utf-16"),
]


@pytest.mark.parametrize(("name", "content", "advice"), [row[1:] for row in UNREAD], ids=[row[0] for row in UNREAD])
def test_the_options_that_are_advised_read_the_file(name: str, content: bytes, advice: str) -> None:
    Path(name).write_bytes(content)
    refused = preprocess(name)
    assert refused.exit_code in (2, 3), refused.output
    assert refused.stderr.count("\n") == 1
    assert advice in refused.stderr
    options = shlex.split(refused.stderr[refused.stderr.index("--") :].partition(" (")[0])
    done = preprocess(name, *options)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("source", "options", "part"),
    [
        ("f.csv", ["--delimiter", "||"], "--delimiter '||': it must be one character"),
        ("f.csv", ["--quote", ";", "--delimiter", ";"], "--delimiter and --quote are both ';'"),
        ("f.csv", ["--columns", "text,text"], "--columns: 'text' must be a name, and come once"),
        ("f.csv", ["--columns", "text,label"], "f.csv:1: the first line names the columns: leave out --columns"),
        ("f.jsonl", ["--columns", "text,label"], "f.jsonl is not delimited text: leave out --delimiter, --quote and"),
        ("f.parquet", ["--encoding", "cp1252"], "f.parquet is Parquet, which is always UTF-8: leave out --encoding"),
        ("bbc_news", ["--delimiter", ";"], "bbc_news is not delimited text"),
        ("bbc_news", ["--encoding", "cp1252"], "bbc_news is not a file of text: leave out --encoding"),
    ],
)
def test_options_that_do_not_fit_are_refused(source: str, options: list[str], part: str) -> None:
    for name in ("f.csv", "f.jsonl", "f.parquet"):
        Path(name).write_bytes(delimited(ROWS))
    done = preprocess(source, *options)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert part in done.stderr


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (without_header(";"), ["--columns", "label,text"]),
        (without_header("^"), ["--columns", "label,text", "--delimiter", "^"]),
        ("".join(f"{label};'{text}; and'\n" for text, label in ROWS).encode(),
         ["--columns", "label,text", "--delimiter", ";", "--quote", "'"]),
        (delimited([("café", "é"), *ROWS], ";").decode().encode("cp1252"), ["--encoding", "cp1252"]),
        (delimited(ROWS).decode().encode("utf-16"), ["--encoding", "utf-16"]),
        (delimited([(f"{text}\n", label) for text, label in ROWS], "\t"), ["--quote", '"']),
    ],
    ids=["no header", "no header and an odd delimiter", "single quotes", "cp1252", "UTF-16", "quotes in TSV"],
)  # fmt: skip
def test_predict_needs_no_options_for_a_file_like_the_training_documents(content: bytes, options: list[str]) -> None:
    name = "f.tsv" if b"\t" in content and b'\n"' in content else "f.csv"
    Path(name).write_bytes(content)
    done = preprocess(name, *options)
    assert done.exit_code == 0, done.output
    invoke(CliRunner(), "train", *SMALL)
    asked = invoke(CliRunner(), "predict", "--input", name, "--format", "jsonl", *options)
    plain = invoke(CliRunner(), "predict", "--input", name, "--format", "jsonl")
    answers = [json.loads(line) for line in plain.stdout.splitlines()]
    assert asked.stdout == plain.stdout
    said = [
        line for line in plain.stderr.splitlines() if "not UTF-8; it and others like it are read as cp1252" not in line
    ]
    assert said == asked.stderr.splitlines()
    assert len(answers) == len(list(csv.reader(io.StringIO(delimited(ROWS).decode())))) - 1 + (b"\xe9" in content)
    assert not any("error" in answer for answer in answers)
    assert "accuracy" in plain.stderr


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_a_model_that_knows_another_encoding_reads_utf_8_as_that(run_dir: Path) -> None:
    """And each line that is not UTF-8 in the encoding of the training documents."""
    Path("f.csv").write_bytes(delimited([("café", "é"), *ROWS]).decode().encode("cp1252"))
    assert preprocess("f.csv", "--encoding", "cp1252").exit_code == 0
    invoke(CliRunner(), "train", *SMALL)
    answers = []
    for encoding in ("cp1252", "utf-8"):
        Path("new.csv").write_bytes("text\ncafé\n".encode(encoding))
        answers.append(invoke(CliRunner(), "predict", "--input", "new.csv", "--format", "jsonl").stdout)
    assert answers[0] == answers[1]
    assert '"unknown": 0.0' in answers[0]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("content", [b"caf\xe9\nplain\n", "text\ncafé\n".encode("utf-16")])
def test_predict_takes_the_encoding_that_it_advises(content: bytes, run_dir: Path) -> None:
    Path("f.txt").write_bytes(content)
    arguments = ["predict", "--run", str(run_dir), "--input", "f.txt"]
    advised = CliRunner().invoke(main, arguments).stderr
    encoding = advised.rpartition("--encoding ")[2].split()[0]
    done = invoke(CliRunner(), *arguments, "--encoding", encoding)
    assert (done.exit_code, done.stderr, len(done.stdout.splitlines())) == (0, "", 2)
    piped = CliRunner().invoke(main, ["predict", "--run", str(run_dir), "-", "--encoding", encoding], input=content)
    assert piped.stdout == done.stdout


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(("name", "answered"), [("f.tsv", 6), ("f.csv", 5)])
def test_six_rows_get_six_answers_whatever_their_quotes(name: str, answered: int, run_dir: Path) -> None:
    rows = ["pos,good", 'neg,"Best buy was bad', "pos,good", "neg,bad", 'pos,good they call it great"', "neg,bad"]
    content = "\n".join(["label,text", *rows, ""])
    Path(name).write_text(content.replace(",", "\t") if name == "f.tsv" else content)
    done = invoke(CliRunner(), "predict", "--run", run_dir, "--input", name, "--format", "jsonl")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 6
    assert sum("error" not in answer for answer in answers) == answered
    assert ("f.csv:3: a quote opens here and closes in line 6" in done.stderr) == (answered == 5)


def test_rows_that_a_quote_swallowed_are_refused_or_loaded_as_asked() -> None:
    rows = [(f"text {number}", "ab"[number % 2]) for number in range(40)]
    lines = [f"{label},{text}" for text, label in rows]
    lines[10], lines[20] = f'{rows[10][1]},"{rows[10][0]}', f'{lines[20]}"'
    Path("f.csv").write_text("\n".join(["label,text", *lines, ""]))
    assert "f.csv:12: a quote opens here and closes in line 22" in preprocess("f.csv").stderr
    assert not Path("data").exists() or not list(Path("data").iterdir())
    each = preprocess("f.csv", "--quote", "none")
    assert each.exit_code == 0
    assert json.loads(Path("data/f/manifest.json").read_text())["splits"] == {"train": 32, "validation": 4, "test": 4}
    as_one = preprocess("f.csv", "--quote", '"', "--overwrite")
    assert sum(json.loads(Path("data/f/manifest.json").read_text())["splits"].values()) == 30
    assert "note: f.csv:12: lines 12 to 22 are one row" in as_one.stderr


def class_folders(path: Path) -> None:
    for number, (text, label) in enumerate(ROWS):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{number:02}.txt").write_text(text)


@pytest.mark.parametrize("source", ["f.csv", "f.jsonl", "f.parquet", "f.txt", "folder", "splits", "bbc_news"])
def test_a_dry_run_shows_what_would_be_read_and_writes_nothing(source: str) -> None:
    for ending, content in in_every_format(ROWS).items():
        Path(f"f{ending}").write_bytes(content)
    class_folders(Path("folder"))
    Path("splits").mkdir()
    for name in ("train", "test"):
        Path(f"splits/{name}.csv").write_bytes(delimited(ROWS))
    before = sorted(str(path) for path in Path().rglob("*"))
    done = invoke(CliRunner(), "preprocess", source, "--dry-run")
    assert sorted(str(path) for path in Path().rglob("*")) == before
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{Path(source).stem}, from ")
    assert lines[-1] == "nothing was written: this was a dry run"
    assert sum("text of" in line or "'Ad sales boost" in line for line in lines) == (1 if source == "bbc_news" else 3)
    assert "test: 10% of train would be drawn" in lines or source == "splits"
    assert (
        any(line.split() == ["a", "10"] or line.split() == ["a", "10", "10"] for line in lines) or source == "bbc_news"
    )
    assert any(line.startswith("columns: text text; label label") for line in lines) == (
        source in {"f.csv", "f.jsonl", "f.parquet", "splits"}
    )


def test_a_dry_run_escapes_what_it_shows() -> None:
    Path("f.csv").write_bytes(delimited([("\x1b[31mred\u202e", "a\x1b"), *ROWS]))
    shown = invoke(CliRunner(), "preprocess", "f.csv", "--dry-run").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        (
            [(label, text) for text, label in ROWS],
            "so the two seem to be swapped: add --text-column label --label-column text",
        ),
        (
            [(text, f"{number / 7:.3f}") for number, (text, _) in enumerate(ROWS)],
            "looks like numbers that are measured",
        ),
        ([(text, str(number)) for number, (text, _) in enumerate(ROWS)], "looks like ids"),
    ],
    ids=["swapped", "floats", "ids"],
)
def test_a_column_of_labels_that_has_none_is_named_with_the_option(rows: list[tuple[str, str]], part: str) -> None:
    Path("f.csv").write_bytes(delimited(rows))
    done = preprocess("f.csv")
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1)
    assert done.stderr.startswith("textclf: f.csv: the column 'label' looks like")
    assert part in done.stderr
    if "--text-column" in part:
        assert preprocess("f.csv", *shlex.split(part[part.index("--") :])).exit_code == 0


def test_many_labels_with_fractions_are_a_problem_of_the_report() -> None:
    Path("f.csv").write_bytes(delimited([(f"text {number}", f"{number % 50 / 10}") for number in range(500)]))
    assert "problem: 50 labels are numbers with fractions" in preprocess("f.csv").stderr


def answers(file: str, *options: str) -> list[dict[str, object]]:
    done = invoke(CliRunner(), "predict", "--input", file, "--format", "jsonl", *options)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("name", "quote"), [("f.csv", "'"), ("f.tsv", '"')])
def test_a_quote_that_was_asked_for_holds_for_files_like_the_training_documents(name: str, quote: str) -> None:
    """Though what it encloses looks like rows; files that have the usual quote are read with that."""
    mark = "\t" if name == "f.tsv" else ","
    rows = [f"{label}{mark}{quote}{text}\nb{mark}{text}\na{mark}{text}{quote}\n" for text, label in ROWS]
    Path(name).write_text(f"label{mark}text\n{''.join(rows)}")
    assert preprocess(name, "--quote", quote).exit_code == 0
    invoke(CliRunner(), "train", *SMALL)
    found = answers(name)
    assert len(found) == len(ROWS)
    assert not any("error" in answer for answer in found)
    assert found == answers(name, "--quote", quote)
    Path("other.csv").write_bytes(delimited([(f'"{text}", he said, it is "so"', label) for text, label in ROWS]))
    assert len(answers("other.csv")) == len(ROWS)
    assert not any("error" in answer for answer in answers("other.csv"))


def test_ids_are_copied_where_the_training_documents_had_such_a_column() -> None:
    rows = "".join(f"k{number},{label},{text}\n" for number, (text, label) in enumerate(ROWS))
    Path("f.csv").write_text(f"ticket,label,text\n{rows}")
    assert preprocess("f.csv", "--id-column", "ticket").exit_code == 0
    invoke(CliRunner(), "train", *SMALL)
    assert [answer["ticket"] for answer in answers("f.csv")] == [f"k{number}" for number in range(len(ROWS))]
    Path("other.csv").write_text("id,text\n1,some words\n")
    assert not {"id", "ticket"} & set(answers("other.csv")[0])
    assert answers("other.csv", "--id-column", "id")[0]["id"] == "1"


@pytest.mark.parametrize(
    ("name", "content", "options", "part"),
    [
        ("f.csv", b"label::text\na::one\nb::two\n", (), "put a tab in place of '::': sed 's/::/\\t/g' f.csv > f.tsv"),
        ("f.txt", b"a || one two\nb || three\n", (), "put a tab in place of '||': sed 's/||/\\t/g' f.txt > f.tsv"),
        ("f.csv", b"label.*text\n", ("--delimiter", ".*"), "in place of '.*': sed 's/\\.\\*/\\t/g' FILE > FILE.tsv"),
    ],
)
def test_a_delimiter_of_several_characters_is_refused_with_what_to_do(
    name: str, content: bytes, options: tuple[str, ...], part: str
) -> None:
    Path(name).write_bytes(content)
    done = preprocess(name, *options)
    assert done.exit_code in (2, 3)
    assert done.stderr.count("\n") == 1
    assert part in done.stderr


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (
            "# by me\n",
            "f.csv:1: no header; it seems to be line 2: leave out the lines before it: tail -n +2 f.csv > new.csv",
        ),
        ("My survey;;\n\n", "f.csv:1: no header; it seems to be line 3"),
    ],
)
def test_a_title_above_the_header_is_named_with_what_to_do(content: str, part: str) -> None:
    Path("f.csv").write_bytes(content.encode() + delimited(ROWS))
    done = preprocess("f.csv")
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1)
    assert part in done.stderr


@pytest.mark.parametrize("mark", ["^", ":", "~", "\x1f"])
def test_a_rare_delimiter_is_advised_and_reads_the_file(mark: str) -> None:
    Path("f.csv").write_bytes(delimited(ROWS, mark))
    refused = preprocess("f.csv").stderr
    option = refused.rpartition("try --delimiter ")[2].strip()
    assert option in (f"'{mark}'", "$'\\x1f'")
    assert preprocess("f.csv", "--delimiter", mark).exit_code == 0


def test_rows_with_more_fields_than_the_header_are_named_with_what_to_do() -> None:
    Path("f.csv").write_text("text,label\n" + "".join(f"{text},{label},\n" for text, label in ROWS))
    assert (
        "so has each row that follows: name all columns in the first line, or remove the" in preprocess("f.csv").stderr
    )
    Path("f.csv").write_text("text,label\n" + "".join(f"{text},{label},x\n" for text, label in ROWS))
    assert preprocess("f.csv").stderr.endswith("each row that follows: name all columns in the first line\n")


def test_quotes_with_a_backslash_are_named_with_what_to_do() -> None:
    Path("f.csv").write_text("text,label\n" + "".join(f'"he said \\"{text}\\", so",{label}\n' for text, label in ROWS))
    said = preprocess("f.csv").stderr
    assert (
        """a quote inside a field is written twice, not with a backslash: sed 's/\\\\"/""/g' f.csv > new.csv""" in said
    )
    Path("f.csv").write_text(Path("f.csv").read_text().replace('\\"', '""'))
    assert preprocess("f.csv").exit_code == 0
