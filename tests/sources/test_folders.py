"""Labelled documents of files and folders: strict, so that the first row that cannot be trained on is an error."""

import csv
import gzip
import hashlib
import json
import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Document, parts
from textclf.sources.folders import parts_of_paths, read_paths
from textclf.sources.formats import Reading
from textclf.sources.kinds import KINDS_BY_ENDING

ANY = Columns()


def write_csv(path, texts, labels, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([("text", "label"), *zip(texts, labels, strict=True)])


def write_tsv(path, texts, labels):
    write_csv(path, texts, labels, delimiter="\t")


def write_jsonl(path, texts, labels):
    lines = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, labels, strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_parquet(path, texts, labels):
    pq.write_table(pa.table({"text": texts, "label": labels}), path)


WRITERS = {".csv": write_csv, ".tsv": write_tsv, ".jsonl": write_jsonl, ".parquet": write_parquet}


def written(columns, path):
    """What tests ask for, and the quote of TSV as the csv module writes it."""
    return replace(columns, quote='"') if path.suffix == ".tsv" else columns


def read_path(path, reading):
    return read_paths([str(path)], reading)


def read_documents(path, reading):
    return parts.read_documents(parts_of_paths([path])["train"], reading)


def digest(path):
    return parts.digest(parts_of_paths([path])["train"])


def read(path, columns=ANY, **options):
    return list(read_documents(path, Reading(written(replace(columns, **options), path))))


def listed(corpus):
    return {split: list(documents) for split, documents in corpus.splits.items()}


def save(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def failure(error, path, columns=ANY, **options):
    with pytest.raises(error) as caught:
        read(path, columns, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path), path.name)


# Every format


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize(
    "value", ["NA", "null", "None", "nan", "001", "1e5", "True", " x ", 'a "b"', "a,b\tc", "é\u2028\U0001f600", "0"]
)
def test_strings_survive_as_labels_and_texts(tmp_path, ending, value):
    path = tmp_path / f"data{ending}"
    WRITERS[ending](path, [value, "other"], ["plain", value])
    assert read(path) == [Document("1", value, "plain"), Document("2", "other", value)]


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("text", ["", "   ", "two\nlines", "two\r\nlines", "\na", "a\x00b"])
def test_texts_survive_even_empty_ones(tmp_path, ending, text):
    path = tmp_path / f"data{ending}"
    WRITERS[ending](path, [text], ["a"])
    assert read(path) == [Document("1", text, "a")]


@pytest.mark.parametrize("ending", WRITERS)
def test_an_empty_label_is_refused_with_its_line(tmp_path, ending):
    path = tmp_path / f"data{ending}"
    WRITERS[ending](path, ["one", "two"], ["a", " "])
    place = {".csv": 3, ".tsv": 3, ".jsonl": 2, ".parquet": 2}[ending]
    assert failure(DataError, path) == f"data{ending}:{place}: the label is empty (column 'label')"


@pytest.mark.parametrize("ending", WRITERS)
def test_a_file_without_documents_is_refused(tmp_path, ending):
    path = tmp_path / f"data{ending}"
    WRITERS[ending](path, [], [])
    assert failure(DataError, path) == f"data{ending}: no documents in it"


@pytest.mark.parametrize("ending", [*KINDS_BY_ENDING, ".txt", ""])
def test_an_empty_file_is_refused(tmp_path, ending):
    assert f"data{ending}:" in failure(DataError, save(tmp_path / f"data{ending}", ""))


@pytest.mark.parametrize("ending", [".zip", ".tar.gz", ".7z"])
def test_archives_are_never_opened(tmp_path, ending, monkeypatch):
    path = save(tmp_path / f"data{ending}", "text,label\na,b\n")
    monkeypatch.setattr("io.open", None)
    monkeypatch.setattr(Path, "open", None)
    assert failure(UsageError, path).startswith(f"data{ending}: unsupported format, an archive: unpack it")


@pytest.mark.parametrize("ending", [".pkl", ".pt", ".docx", ""])
@pytest.mark.parametrize("content", [pickle.dumps([1]), b"PK\x03\x04", b"%PDF-1.7", b"a\x00b\x01"])
def test_files_that_are_not_text_are_refused(tmp_path, ending, content):
    path = save(tmp_path / f"data{ending}", content)
    assert failure(UsageError, path).startswith(f"data{ending}: unsupported format, not text but ")


def test_a_missing_path_is_a_usage_error(tmp_path):
    assert failure(UsageError, tmp_path / "none.csv") == "no such file or folder: none.csv"


def test_rows_are_read_one_by_one(tmp_path):
    documents = read_documents(save(tmp_path / "a.csv", "text,label\none,x\ntwo\n"), Reading())
    assert next(documents) == Document("1", "one", "x")
    with pytest.raises(DataError):
        next(documents)


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_file_is_closed_as_soon_as_a_row_is_refused(tmp_path, ending, monkeypatch):
    opened = []
    path_open = Path.open
    path = tmp_path / f"data{ending}"
    WRITERS[ending](path, ["one", "two"], ["", "a"])
    monkeypatch.setattr(Path, "open", lambda *args, **kwargs: opened.append(path_open(*args, **kwargs)) or opened[-1])
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.tb  # which keeps the frames of the readers alive
    assert {file.closed for file in opened} == {True}


def test_text_columns_are_joined_in_order_one_a_line(tmp_path):
    path = save(tmp_path / "a.csv", "title,body,label\nT,B,x\n,B,x\n")
    assert [document.text for document in read(path, Columns(("title", "body")))] == ["T\nB", "\nB"]
    assert [document.text for document in read(path, Columns(("body", "title")))] == ["B\nT", "B\n"]


def test_ids_are_numbers_unless_a_column_holds_them(tmp_path):
    path = save(tmp_path / "a.csv", "key,text,label\n../x,a,b\n007,a,b\n")
    assert [document.id for document in read(path)] == ["1", "2"]
    assert [document.id for document in read(path, Columns(id="key"))] == ["../x", "007"]


def test_an_id_that_comes_twice_names_both_rows(tmp_path):
    path = save(tmp_path / "a.csv", "id,text,label\n7,a,b\n8,a,b\n\n7,c,d\n")
    assert len(read(path)) == 3
    assert failure(DataError, path, Columns(id="id")) == "a.csv:5: the id '7' is taken by a.csv:2; ids must differ"


# CSV and TSV


def test_line_ends_blank_lines_and_the_mark_do_not_matter(tmp_path):
    plain = read(save(tmp_path / "a.csv", 'text,label\none,x\n"two\nlines",y\n'))
    marked = read(save(tmp_path / "b.csv", '\ufefftext,label\r\none,x\r\n\r\n"two\nlines",y'))
    assert plain == marked == read(tmp_path / "b.csv", encoding="UTF8")
    assert [document.text for document in plain] == ["one", "two\nlines"]


def test_an_unnamed_column_is_no_obstacle(tmp_path):
    assert read(save(tmp_path / "a.csv", ",text,label\n0,one,x\n")) == [Document("1", "one", "x")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,b\nc\n", "a.csv:3: 1 field, but the header has 2"),
        ('text,label\n"a\nb",x\na,b,c\n', "a.csv:4: 3 fields, but the header has 2"),
        ("text,label,text\na,b,c\n", "a.csv:1: two columns are named 'text'"),
        (
            "3,Wall St. Bears,Reuters\n",
            "a.csv:1: no header; name the columns in their order: --columns label,text,column3",
        ),
        ("\n\n", "a.csv: no documents in it"),
        (
            "text,label\n" + "a,b\n" * 3 + '"a,b\n' + "a,b\n" * 995,
            "a.csv:5: the row is broken (unexpected end of data); a quote inside a field is written twice; try "
            "--quote none",
        ),
        (
            'text,label\n"a" b,c\n',
            "a.csv:2: the row is broken (',' expected after '\"'); a quote inside a field is written twice; try "
            "--quote none",
        ),
    ],
    ids=["ragged", "ragged after lines", "repeated", "numbers", "blank", "stray quote", "quote inside"],
)
def test_broken_csv_is_refused_with_its_line(tmp_path, content, message):
    assert failure(DataError, save(tmp_path / "a.csv", content)) == message


def test_columns_may_be_named_by_numbers(tmp_path):
    path = save(tmp_path / "a.csv", "0,1\ngood,pos\n")
    assert read(path, Columns(("0",), "1")) == [Document("1", "good", "pos")]
    path = save(tmp_path / "b.csv", "text,label,2020\ngood,pos,7\n")
    assert read(path) == [Document("1", "good", "pos")]


# JSON lines


def test_blank_lines_are_skipped_but_counted_in_errors(tmp_path):
    lines = ['{"text": "a", "label": "x"}', "", "  ", '{"label": "y", "text": "b", "more": [1]}', '{"text": "c"}']
    path = save(tmp_path / "a.ndjson", "\r\n".join(lines))
    assert failure(DataError, path) == "a.ndjson:5: no value in the column 'label'"
    path = save(tmp_path / "b.ndjson", "\r\n".join(lines[:4]))
    assert read(path) == [Document("1", "a", "x"), Document("2", "b", "y")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "label": null}', "no value in the column 'label'"),
        ('{"text": null, "label": "x"}', "no value in the column 'text'"),
        ('{"text": "a", "label": ["x", ["y"]]}', "the column 'label' holds a list, not one value; in it is label.0"),
        ('{"text": "a", "label": ["x", null]}', "no value in the column 'label'"),
        ('{"text": "a", "label": ["x", " "]}', "a label is empty (column 'label')"),
        ('{"text": "a", "label": {"x": 1}}', "the column 'label' holds a dict, not one value; in it is label.x"),
        ('{"text": {"en": "a"}, "label": "x"}', "the column 'text' holds a dict, not one value; in it is text.en"),
        ('{"text": "a", "label": NaN}', "not JSON that can be read (NaN is not a JSON value)"),
        ('{"text": -Infinity, "label": "x"}', "not JSON that can be read (-Infinity is not a JSON value)"),
        ('{"text": "a", "text": "b", "label": "x"}', "not JSON that can be read (a key comes twice)"),
        ('{"text": "a", "label": "x"', "not JSON (Expecting ',' delimiter at character 27)"),
        ('["a", "x"]', "not a JSON object; each line must be one"),
        ('{"text": "\\ud800", "label": "x"}', "half a surrogate pair, which no file can hold"),
    ],
)
def test_broken_json_is_refused_with_its_line(tmp_path, line, message):
    path = save(tmp_path / "a.jsonl", f'{{"text": "a", "label": "x"}}\n{line}\n')
    assert failure(DataError, path) == f"a.jsonl:2: {message}"


def test_json_nested_without_end_is_refused(tmp_path):
    path = save(tmp_path / "a.jsonl", '{"text": ' + "[" * 200_000)
    assert failure(DataError, path).startswith("a.jsonl:1: not JSON that can be read (")


# Parquet


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", None], "a.parquet:2: no value in the column 'label'"),
        ([1.0, float("nan")], "a.parquet:2: no value in the column 'label'"),
        ([["a"], ["b", None]], "a.parquet:2: no value in the column 'label'"),
        ([[["a"]], [["b"]]], "a.parquet:1: the column 'label' holds a list, not one value; in it is label.0"),
        ([b"\xff", b"b"], "a.parquet:1: the column 'label' holds bytes, of which 0xff is not UTF-8"),
    ],
)
def test_parquet_without_one_value_is_refused(tmp_path, labels, message):
    write_parquet(tmp_path / "a.parquet", ["x", "y"], labels)
    assert failure(DataError, tmp_path / "a.parquet") == message


# fastText lines


@pytest.mark.parametrize("ending", [".txt", ".ft", ".fasttext", ".train", ".valid", ".test"])
def test_fasttext_lines(tmp_path, ending):
    content = "__label__Sci/Tech  Two  spaces\u2028kept \r\n\n__label__001\tNA\n__label__a\n"
    assert read(save(tmp_path / f"a{ending}", content)) == [
        Document("1", " Two  spaces\u2028kept ", "Sci/Tech"),
        Document("2", "NA", "001"),
        Document("3", "", "a"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("__label__ text", "the label is empty"),
        ("__label__a __label__ text", "the label is empty"),
    ],
)
def test_broken_fasttext_is_refused_with_its_line(tmp_path, line, message):
    path = save(tmp_path / "a.txt", f"__label__a fine\n\n{line}\n")
    assert failure(DataError, path) == f"a.txt:3: {message}"


# Encodings


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "latin-1"])
def test_reads_the_encoding_that_is_asked_for(tmp_path, encoding):
    path = save(tmp_path / "a.csv", "text,label\ncafé £5,x\n", encoding)
    assert read(path, encoding=encoding) == [Document("1", "café £5", "x")]


@pytest.mark.parametrize("before", [20, 200_000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_wrong_encoding_is_named_with_its_line(tmp_path, before, mark):
    path = save(tmp_path / "a.csv", mark + b"text,label\n" + b"a,b\n" * before + b"\xa35,x\n")
    assert failure(DataError, path).startswith(f"a.csv:{before + 2}: byte 0xa3 is not UTF-8; try --encoding cp1252 (")


def test_utf_16_is_recognised(tmp_path):
    path = save(tmp_path / "a.csv", "text,label\na,b\n", "utf-16")
    assert failure(DataError, path) == "a.csv is UTF-16, as in 'text,label'; try --encoding utf-16"


def test_an_unknown_encoding_is_a_usage_error(tmp_path):
    path = save(tmp_path / "a.csv", "text,label\na,b\n")
    for encoding in ("utf-9", "hex"):
        message = f"no encoding named {encoding!r}; for example --encoding cp1252"
        assert failure(UsageError, path, encoding=encoding) == message


# Folders


def test_a_file_is_the_train_split(tmp_path):
    path = save(tmp_path / "reviews.csv", "text,label\na,b\n")
    corpus = read_path(path, Reading())
    assert (corpus.name, corpus.source, corpus.notes) == ("reviews", str(path), [])
    assert listed(corpus) == {"train": [Document("1", "a", "b")]}
    assert corpus.revision == digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def test_documents_are_read_each_time_they_are_iterated_over_and_not_before(tmp_path):
    path = save(tmp_path / "reviews.csv", "text,label\na,b\nbroken\n")
    documents = read_path(path, Reading()).splits["train"]
    for _ in range(2):
        found = iter(documents)
        assert next(found) == Document("1", "a", "b")
        with pytest.raises(DataError, match="1 field, but the header has 2"):
            next(found)


def test_a_folder_of_class_folders(tmp_path):
    root = tmp_path / "news"
    for name, text in [("tech/1.txt", "a\r\n"), ("sport/deep/2", "b"), ("sport/.hidden", "c"), (".git/x", "d")]:
        save(root / name, text)
    save(root / "README", "not a document")
    corpus = read_path(root, Reading())
    assert listed(corpus) == {
        "train": [Document("sport/deep/2", "b", "sport"), Document("tech/1.txt", "a\r\n", "tech")]
    }
    assert (corpus.name, corpus.notes) == ("news", ["not read: README"])


def test_a_folder_of_split_files(tmp_path):
    save(tmp_path / "train.csv", "text,label\na,x\n")
    save(tmp_path / "Dev.jsonl", '{"text": "b", "label": "y"}')
    save(tmp_path / "test.txt", "__label__z c\n")
    for name in ("classes.txt", "notes.md", "extra/file", "LICENSE", "a.json", "b.json"):
        save(tmp_path / name, "")
    corpus = read_path(tmp_path, Reading())
    assert listed(corpus) == {
        "train": [Document("1", "a", "x")],
        "validation": [Document("1", "b", "y")],
        "test": [Document("1", "c", "z")],
    }
    assert corpus.notes == ["not read: LICENSE, a.json, b.json, classes.txt, extra and more"]
    assert corpus.revision.count("+") == 2


def test_split_folders_of_class_folders_as_in_aclimdb(tmp_path):
    for name in (
        "train/pos/0_9.txt",
        "train/neg/0_3.txt",
        "train/unsup/0_0.txt",
        "test/pos/1_8.txt",
        "test/neg/1_1.txt",
    ):
        save(tmp_path / name, name)
    save(tmp_path / "train" / "urls_pos.txt", "")
    save(tmp_path / "imdb.vocab", "")
    corpus = read_path(tmp_path, Reading())
    assert {split: [document.id for document in documents] for split, documents in corpus.splits.items()} == {
        "train": ["neg/0_3.txt", "pos/0_9.txt"],
        "test": ["neg/1_1.txt", "pos/1_8.txt"],
    }
    assert Counter(document.label for document in corpus.splits["train"]) == {"neg": 1, "pos": 1}
    assert corpus.notes == ["not read: imdb.vocab, train/unsup, train/urls_pos.txt"]


def test_the_digest_of_a_folder_tells_labels_and_texts(tmp_path):
    save(tmp_path / "a" / "1", "one")
    save(tmp_path / "b" / "2", "two")
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    (tmp_path / "a" / "1").rename(tmp_path / "b" / "1")
    moved = digest(tmp_path)
    save(tmp_path / "b" / "1", "changed")
    assert len({before, moved, digest(tmp_path)}) == 3


def test_a_folder_of_nothing_is_refused(tmp_path):
    save(tmp_path / "data" / "test.csv", "text,label\na,b\n")
    expected = (
        "data: no class folders and no train file or folder in it; name the files: textclf preprocess 'data/*.csv'"
    )
    assert failure(DataError, tmp_path / "data") == expected


def test_two_parts_for_one_split_are_refused(tmp_path):
    for name in ("train.csv", "test.csv", "test.tsv"):
        save(tmp_path / name, "text,label\na,b\n")
    with pytest.raises(UsageError, match=r"has two test parts, test.csv and test.tsv: name one file$"):
        read_path(tmp_path, Reading())


def test_a_document_in_a_wrong_encoding_is_named(tmp_path):
    bad = save(tmp_path / "data" / "a" / "1.txt", b"\xa35")
    with pytest.raises(DataError) as caught:
        listed(read_path(tmp_path / "data", Reading()))
    assert str(caught.value).startswith(f"{bad}:1: byte 0xa3 is not UTF-8; try --encoding cp1252 ('£5')")
    assert listed(read_path(tmp_path / "data", Reading(Columns(encoding="cp1252"))))["train"][0].text == "£5"


def test_class_folders_have_no_columns_to_choose(tmp_path):
    save(tmp_path / "data" / "a" / "1.txt", "x")
    message = failure(UsageError, tmp_path / "data", Columns(label="topic"))
    assert message == "no column 'topic'; data has the columns id, label, text"


def test_notes_say_what_files_are_and_which_are_not_read(tmp_path):
    for split in ("train", "test"):
        for name, content in {"seq.in": "one\ntwo\n", "label": "x\ny\n", "seq.out": "o\no\n"}.items():
            save(tmp_path / "snips" / split / name, content)
    assert read_path(tmp_path / "snips", Reading()).notes == [
        "each line of seq.in is a text, and the same line of label its label",
        "not read: test/seq.out, train/seq.out",
    ]
    for name in ("neg.txt", "pos.txt", "README", "more.md"):
        save(tmp_path / "polarity" / name, "one\ntwo\n")
    assert read_path(tmp_path / "polarity", Reading()).notes == [
        "each file is a class, and each of its lines or rows a text: neg.txt, pos.txt",
        "not read: README, more.md",
    ]


def test_names_of_corpora_come_from_files_or_their_folder(tmp_path):
    for name in ("a.csv", "b.csv.gz", "train.csv", "test.csv"):
        save(tmp_path / "films" / name, gzip.compress(b"text,label\na,b\n") if "gz" in name else "text,label\na,b\n")
    folder = str(tmp_path / "films")
    for names, expected in [
        (("a.csv",), "a"),
        (("b.csv.gz",), "b"),
        (("a.csv", "b.csv.gz"), "a-b"),
        (("t*.csv",), "films"),
    ]:
        assert read_paths([f"{folder}/{name}" for name in names], Reading()).name == expected
