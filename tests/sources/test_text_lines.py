"""Lines of any stream: decoded, or an error in their place."""

import io

import pytest

from textclf.errors import DataError, UsageError
from textclf.sources.text_lines import UTF8, Encoding, encoding_for, encoding_named, read_lines


def lines(content, **options):
    stream = io.BufferedReader(io.BytesIO(content))
    found = list(read_lines(stream, "f", **options))
    assert not stream.closed
    return found


def texts(content, **options):
    return [text for _, text, _ in lines(content, **options)]


def errors(content, **options):
    return {number: error for number, _, error in lines(content, **options) if error}


def test_lines_keep_their_ends_and_are_numbered():
    content = b"one\n\n two \r\n\x00\na\rb\n\xe2\x80\xa8\nlast"
    assert texts(content) == ["one\n", "\n", " two \r\n", "\x00\n", "a\rb\n", "\u2028\n", "last"]
    assert [number for number, *_ in lines(content)] == [1, 2, 3, 4, 5, 6, 7]
    assert texts(b"") == []


def test_a_carriage_return_ends_a_line_where_asked_for():
    assert texts(b"a\rb\r\nc\n", newline="") == ["a\r", "b\r\n", "c\n"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16"])
def test_a_byte_order_mark_is_left_out_at_the_start_only(encoding):
    mark = b"" if encoding == "utf-16" else "\ufeff".encode(encoding)  # the codec utf-16 writes one
    content = mark + "marked\n\ufeffnot\n".encode(encoding)
    assert texts(content, encoding=encoding_named(encoding)) == ["marked\n", "\ufeffnot\n"]


def test_bytes_of_another_encoding_are_an_error_of_their_line():
    found = errors(b"fine\n\xa3 5\n" + "grün\n".encode() + b"cut \xe2\x82")
    advice = "is not UTF-8; try --encoding cp1252"
    assert list(found) == [2, 4]
    assert found[2].startswith(f"f:2: byte 0xa3 {advice} ('£ 5') or ")
    assert found[4].startswith(f"f:4: byte 0xe2 {advice} ('cut â\u201a') or ")
    assert errors(b"half a pair \xed\xa0\x80\n")[1].startswith("f:1: byte 0xed is not UTF-8")


@pytest.mark.parametrize("before", [0, 20, 20_000])
def test_the_line_is_right_in_any_encoding(before):
    utf16 = "fine\n".encode("utf-16-le") * before + b"\x00\xd8a\x00\n\x00" + "fine\n".encode("utf-16-le")
    found = errors(utf16, encoding=encoding_named("utf-16-le"))
    assert found == {before + 1: f"f:{before + 1}: byte 0x00 is not UTF-16-LE; try --encoding utf-8"}
    cp1252 = b"fine\n" * before + b"\x81\nfine\n"
    found = errors(cp1252, encoding=encoding_named("cp1252"))
    (number, error), *others = found.items()
    assert (number, others) == (before + 1, [])
    assert error.startswith(f"f:{before + 1}: byte 0x81 is not CP1252; try --encoding cp1251 ('Ѓ')")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Très bon café"),
        ("cp1250", "Dobrý příběh"),
        ("cp1251", "Хороший фильм"),
        ("koi8_r", "Хороший фильм"),
        ("shift_jis", "とても良い映画"),
        ("gb18030", "这部电影很好"),
        ("big5", "這部電影很好"),
        ("euc_kr", "좋은 영화"),
    ],
)
def test_the_encodings_that_a_line_fits_are_named_with_how_it_reads(encoding, text):
    found = errors(f"id\n{text}\n".encode(encoding))[2]
    at = next(place for place, character in enumerate(text) if not character.isascii())
    assert f"{encoding} ({text[max(0, at - 4) : at + 8].strip()!r})" in found
    assert len(found) < 300


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Хороший фильм и ещё", "这部 电影 很好 的", "plain words", "ñandú", "फ़िल्म अच्छी थी"])
def test_utf_16_is_known_by_its_zeros_in_any_script(codec, text):
    with pytest.raises(DataError, match=f"f is {codec.upper()}, as in '{text[:6]}.*; try --encoding {codec}$"):
        texts(f"{text}\n{text}\n".encode(codec))
    assert texts(f"a\0{text}\n".encode()) == [f"a\0{text}\n"]


@pytest.mark.parametrize(
    "content",
    [
        "text,label,key\r\n,000\x06,\0\r\n",
        "__label__\0 \x1a\n",
        "a\tb\0c\x01 and so on\n",
        "text\tlabel\tkey\r\n\t0\t0\0\r\n",
    ],
)
def test_a_few_control_characters_make_no_utf_16(content):
    assert "".join(texts(content.encode(), newline="")) == content


def test_a_codec_that_does_not_name_the_line_refuses_the_file():
    with pytest.raises(DataError, match=r"^f:1: not PUNYCODE; try --encoding utf-8$"):
        lines(b"fine\n", encoding=encoding_named("punycode"))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [98, 99, 100, 101, 5_000, 2_000_000])
def test_a_line_that_is_too_long_is_skipped_to_its_end(size, end):
    newline = "" if end == b"\r" else "\n"
    content = b"before" + end + b"x" * (size - len(end)) + end + b"after" + end
    found = lines(content, newline=newline, limit=100_000 if size > 100_000 else 100)
    assert [text.strip() for _, text, _ in found][::2] == ["before", "after"]
    if size <= 100:
        assert found[1][1:] == ("x" * (size - len(end)) + end.decode(), None)
    else:
        limit = "100,000" if size > 100_000 else "100"
        assert found[1] == (2, "", f"f:2: the line is longer than {limit} characters")


def test_an_endless_line_is_refused():
    with pytest.raises(DataError, match=r"^f:2: the line is longer than 10 characters and does not end$"):
        lines(b"before\n" + b"x" * 2_000, limit=10)


def test_a_file_that_is_not_text_is_refused():
    with pytest.raises(DataError, match=r"^f is not text but gzip: name it .gz behind its own ending, or unpack"):
        lines(b"\x1f\x8b\n")
    with pytest.raises(DataError, match=r"^f is not text but gzip"):
        lines(b"\x1f\x8b\n", encoding=encoding_named("latin-1"))


@pytest.mark.parametrize("codec", ["utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_wide_encodings_are_recognised(codec):
    with pytest.raises(DataError, match=f"^f is {codec.upper()}, as in 'text,label'; try --encoding {codec}$"):
        lines("text,label\n".encode(codec))


def test_encodings_are_named_as_python_does():
    assert encoding_named(None) == encoding_named("UTF8") == Encoding(UTF8)
    assert encoding_named("Windows-1252").codec == "cp1252"
    for name in ("utf-9", "hex", "undefined"):
        with pytest.raises(UsageError, match=f"^no encoding named '{name}'; for example --encoding cp1252$"):
            encoding_named(name)


def test_lines_that_are_not_utf_8_may_be_of_a_known_encoding_and_are_a_warning_once():
    content, warnings = "é".encode() + b"\n\xe9\nplain\n\xe8\n", []
    encoding = Encoding(UTF8, "cp1252")
    assert texts(content, encoding=encoding, warn=warnings.append) == ["é\n", "é\n", "plain\n", "è\n"]
    assert warnings == [
        "f:2: not UTF-8; it and others like it are read as cp1252, as the training documents were",
    ]
    assert errors(b"\x81\n", encoding=encoding)[1].startswith("f:1: byte 0x81 is not UTF-8")


@pytest.mark.parametrize(
    ("content", "asked", "known", "found"),
    [
        (b"caf\xe9", None, "cp1252", Encoding(UTF8, "cp1252")),
        (b"caf\xe9", "latin-1", "cp1252", Encoding("iso8859-1")),
        (b"plain", None, "utf-8", Encoding()),
        (b"plain", None, None, Encoding()),
        ("wide".encode("utf-16"), None, "utf-16", Encoding("utf-16")),
        (b"plain", None, "utf-16", Encoding()),
        ("wide".encode("utf-16"), None, "cp1252", Encoding(UTF8, "cp1252")),
    ],
)
def test_the_encoding_of_the_training_documents_is_taken_where_text_is_not_utf_8(content, asked, known, found):
    assert encoding_for(io.BufferedReader(io.BytesIO(content)), asked=asked, known=known) == found
