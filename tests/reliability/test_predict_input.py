"""Odd lines and streams for `textclf predict`: each line gets an answer, or the one that is not text is named."""

import gzip
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.reliability.tables import refuses
from textclf.cli import main
from textclf.sources.document import MAX_CHARACTERS


def predict(run, content, *options):
    return CliRunner().invoke(main, ["predict", "--run", str(run), "--num-workers", "1", *options], input=content)


ODD_LINES = [
    b"",
    b"   ",
    b"one\x00two",
    b"\x00",
    b"a\rb",
    "\u2028\u0085 x".encode(),
    "👍🏽 שלום".encode(),
    b"x" * 200_000,
]


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_predict_answers_every_line(run_dir: Path, end: bytes, mark: bytes) -> None:
    content = mark + end.join(ODD_LINES)
    Path("texts.txt").write_bytes(content)
    from_file, from_stdin = predict(run_dir, b"", "--input", "texts.txt"), predict(run_dir, content, "-")
    assert from_file.exit_code == from_stdin.exit_code == 0, from_file.exception
    assert from_file.stdout == from_stdin.stdout
    assert len(from_file.stdout.splitlines()) == len(ODD_LINES)


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"fine\n\xa3 5\n", ":2: byte 0xa3 is not UTF-8; try --encoding cp1252"),
        (b"fine\ncut off \xe2\x82", ":2: byte 0xe2 is not UTF-8"),
        (b"half a pair \xed\xa0\x80\n", ":1: byte 0xed is not UTF-8"),
        ("fine\n".encode("utf-16"), " is UTF-16, as in 'fine'; try --encoding utf-16"),
        (gzip.compress(b"fine\n"), " is not text but gzip"),
        (b"fine\nfine\n" + b"x" * MAX_CHARACTERS, ":3: the line is longer than 10,000,000 characters"),
    ],
    ids=["cp1252", "cut off", "surrogates", "UTF-16", "gzip", "no end"],
)
def test_predict_names_the_line_that_is_not_text(run_dir: Path, content: bytes, part: str) -> None:
    Path("texts.txt").write_bytes(content)
    refuses(predict(run_dir, content, "-"), 3, f"stdin{part}")
    refuses(predict(run_dir, b"", "--input", "texts.txt", "--strict"), 3, f"texts.txt{part}")


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_predict_does_not_wait_for_the_end_of_a_device(run_dir: Path) -> None:
    refuses(
        predict(run_dir, b"", "--input", "/dev/zero"),
        3,
        "/dev/zero:1: the line is longer",
        "and does not end",
    )
    Path("texts.txt").symlink_to("/proc/self/mem")
    refuses(predict(run_dir, b"", "--input", "texts.txt"), 3, "cannot read texts.txt: Input/output error")


@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_predict_answers_an_argument_that_is_not_utf8(run_dir: Path) -> None:
    done = predict(run_dir, b"", "caf\udce9", "--format", "jsonl")
    assert done.exit_code == 0, done.exception
    assert len(done.stdout.splitlines()) == 1
