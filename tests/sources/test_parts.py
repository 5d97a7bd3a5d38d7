"""The documents of a split in several files."""

from pathlib import Path

import pytest

from textclf.errors import DataError, UsageError
from textclf.sources import Columns, Document
from textclf.sources.formats import Reading
from textclf.sources.layouts import CLASS_FILES, FILES, SIDE_BY_SIDE, Part
from textclf.sources.parts import FileDocuments, digest, read_documents


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def save(name, content):
    Path(name).write_text(content, encoding="utf-8")
    return Path(name)


def read(form, *paths, reading=Reading()):  # noqa: B008 (a tuple)
    return list(FileDocuments.of(Part(form, paths), reading))


def failure(error, form, *paths):
    with pytest.raises(error) as caught:
        read(form, *paths)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_are_read_one_after_another_each_in_its_format():
    paths = (
        save("a.csv", "text,label\none,x\n"),
        save("b.jsonl", '{"text": "two", "label": "y"}\n'),
        save("c.txt", "__label__z three\n"),
    )
    assert read(FILES, *paths) == [Document("1", "one", "x"), Document("2", "two", "y"), Document("3", "three", "z")]


def test_columns_of_the_first_file_are_those_of_the_others():
    first = save("a.csv", "body,text,label\none,no,x\n")
    second = save("b.csv", "text,body,label\nno,two,y\n")
    reading = Reading(Columns(("body",)))
    assert [document.text for document in read(FILES, first, second, reading=reading)] == ["one", "two"]
    other = save("c.csv", "review,label\nthree,z\n")
    said = failure(UsageError, FILES, save("d.csv", "text,label\none,x\n"), other)
    assert said == (
        "c.csv has its text in 'review', and the file before it in 'text': rename one, or name a column of both with "
        "--text-column"
    )


def test_an_id_that_two_files_have_is_refused():
    paths = save("a.csv", "id,text,label\n1,one,x\n"), save("b.csv", "id,text,label\n1,two,y\n")
    with pytest.raises(DataError, match=r"b\.csv:2: the id '1' is taken by a\.csv:2; ids must differ"):
        read(FILES, *paths, reading=Reading(Columns(id="id")))


def test_a_file_is_a_class_and_its_lines_are_texts():
    paths = save("pos.txt", "good\n\nfine\r\n"), save("neg.txt", "bad\n")
    assert read(CLASS_FILES, *paths) == [
        Document("1", "good", "pos"),
        Document("2", "fine", "pos"),
        Document("3", "bad", "neg"),
    ]


@pytest.mark.parametrize(
    ("ending", "contents"),
    [
        ("csv", ('text,id\n"good, x",1\nfine,2\n', "text,id\nbad,3\n")),
        ("jsonl", ('{"text": "good, x"}\n{"text": "fine"}\n', '{"text": "bad"}\n')),
        ("json", ('[{"text": "good, x"}, {"text": "fine"}]', '[{"text": "bad"}]')),
        ("txt", ("text\tother\tid\ngood, x\t\t1\nfine\t\t2\n", "text\tother\tid\nbad\t\t3\n")),
    ],
)
def test_tables_without_labels_may_be_a_class_each(ending, contents):
    paths = [save(f"{name}.{ending}", content) for name, content in zip(("pos", "neg"), contents, strict=True)]
    found = read(CLASS_FILES, *paths)
    assert [(document.text, document.label) for document in found] == [
        ("good, x", "pos"), ("fine", "pos"), ("bad", "neg"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("text,label\na,b\n", DataError, "two.csv has labels in its column 'label'.*textclf preprocess './\\*.csv'"),
        ("body\na\n", UsageError, "two.csv has its text in 'body', and the file before it in 'text': rename one"),
        ("a,b\nc,d\n", UsageError, "which column is the text"),
    ],
)
def test_tables_of_other_columns_are_no_classes(content, error, message):
    with pytest.raises(error, match=message):
        read(CLASS_FILES, save("one.csv", "text\na\n"), save("two.csv", content))


def test_texts_have_the_labels_of_the_same_lines():
    texts, labels = save("train_text.txt", "good\n\n__label__x\n"), save("train_labels.txt", "1\n0\n 1 \n\n")
    assert read(SIDE_BY_SIDE, texts, labels) == [
        Document("1", "good", "1"),
        Document("2", "", "0"),
        Document("3", "__label__x", "1"),
    ]
    save("mapping.txt", "0\tneg\n1\tpos\tmore\n")
    assert [document.label for document in read(SIDE_BY_SIDE, texts, labels)] == ["pos", "neg", "pos"]


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ("one\ntwo\n", "x\n", "t.txt:2: l.txt has no such line; t.txt must have as many lines"),
        ("one\n", "x\ny\n", "l.txt:2: t.txt has no such line; l.txt must have as many lines"),
        ("one\ntwo\nthree\n", "x\n\ny\n", "l.txt:2: the label is empty"),
    ],
)
def test_labels_that_are_not_as_many_are_refused(texts, labels, message):
    assert failure(DataError, SIDE_BY_SIDE, save("t.txt", texts), save("l.txt", labels)) == message


def test_a_digest_tells_names_and_contents():
    a, b = save("a.csv", "text,label\none,x\n"), save("b.csv", "text,label\ntwo,y\n")
    both = digest(Part(FILES, (a, b)))
    assert both != digest(Part(FILES, (b, a)))
    assert digest(Part(FILES, (a,))) != both
    save("b.csv", "text,label\nchanged,y\n")
    assert digest(Part(FILES, (a, b))) != both


def test_a_missing_file_is_named_before_anything_is_read():
    with pytest.raises(UsageError, match=r"no such file or folder: none\.csv"):
        read_documents(Part(FILES, (save("a.csv", ""), Path("none.csv"))), Reading())


def test_the_size_is_that_of_all_files():
    paths = save("a.csv", "text,label\none,x\n"), save("b.csv", "text,label\ntwo,y\n")
    assert FileDocuments.of(Part(FILES, paths), Reading()).size == sum(path.stat().st_size for path in paths)
