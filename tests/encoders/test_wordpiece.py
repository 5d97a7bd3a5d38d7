import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from textclf.encoders import wordpiece
from textclf.encoders.wordpiece import Rules, WordPiece

# What BertTokenizerFast gives with the vocabulary of bert-base-uncased, which MiniLM has, too.
KNOWN = {
    "The cat sat, on the mat!": (
        "the cat sat , on the mat !",
        [1996, 4937, 2938, 1010, 2006, 1996, 13523, 999],
    ),
    "Unbelievably re-tokenised: 7%\u2026": (
        "un ##bel ##ie ##va ##bly re - token ##ised : 7 % \u2026",
        [4895, 8671, 2666, 3567, 6321, 2128, 1011, 19204, 5084, 1024, 1021, 1003, 1529],
    ),
    "\u00c5ngstr\u00f6m caf\u00e9 na\u00efve \u00dcBER \u0130stanbul \u03a3\u039f\u03a6\u039f\u03a3": (
        "ang ##strom cafe naive uber istanbul \u03c3 ##\u03bf ##\u03c6 ##\u03bf ##\u03c3",
        [17076, 15687, 7668, 15743, 19169, 9960, 1173, 29730, 29736, 29730, 29733],
    ),
    "\u6211\u7231\u5317\u4eac\u5929\u5b89\u95e8abc\u65e5\u672c": (
        "\u6211 [UNK] \u5317 \u4eac \u5929 \u5b89 [UNK] abc \u65e5 \u672c",
        [1855, 100, 1781, 1755, 1811, 1820, 100, 5925, 1864, 1876],
    ),
    "tab\tand\nnew\r\nline\u00a0no-break\u2028sep": (
        "tab and new line no - break sep",
        [21628, 1998, 2047, 2240, 2053, 1011, 3338, 19802],
    ),
    "soft\u00adhyphen bell\x07nul\0x vt\x0bjoin nel\x85join": (
        "soft ##hy ##ph ##en bell ##nu ##l ##x vt ##jo ##in ne ##l ##jo ##in",
        [3730, 10536, 8458, 2368, 4330, 11231, 2140, 2595, 28879, 5558, 2378, 11265, 2140, 5558, 2378],
    ),
    "emoji \U0001f600 ok\ufffdno": ("em ##oj ##i [UNK] ok ##no", [7861, 29147, 2072, 100, 7929, 3630]),
    "\u00abquoted\u00bb \u2014 dash \u2018s\u2019 \u00bfqu\u00e9?": (
        "\u00ab quoted \u00bb \u2014 dash \u2018 s \u2019 \u00bf que ?",
        [1077, 9339, 1090, 1517, 11454, 1520, 1055, 1521, 1094, 10861, 1029],
    ),
    "#hashtag _under_ ^ ` ~ <a='x'>": (
        "# hash ##tag _ under _ ^ ` ~ < a = ' x ' >",
        [1001, 23325, 15900, 1035, 2104, 1035, 1034, 1036, 1066, 1026, 1037, 1027, 1005, 1060, 1005, 1028],
    ),
    "\ufb01nance \ufdfa": ("\ufb01 ##nan ##ce [UNK]", [1984, 7229, 3401, 100]),
    f"{'y' * 3} {'x' * 101}": ("y ##y ##y [UNK]", [1061, 2100, 2100, 100]),
    " \n": ("", []),
}


@pytest.fixture(scope="module")
def tokenizer():
    """With the pieces above at their places in the real vocabulary."""
    pieces = [f"[unused{number}]" for number in range(30_522)]
    pieces[100:103] = wordpiece.SPECIAL
    for spelled, ids in KNOWN.values():
        for piece, number in zip(spelled.split(), ids, strict=True):
            pieces[number] = piece
    return WordPiece(pieces, Rules())


@pytest.mark.parametrize("text", KNOWN)
def test_a_text_has_the_ids_of_the_tokenizer_of_bert(text, tokenizer):
    expected = [101, *KNOWN[text][1], 102]
    assert tokenizer.encode(text, 256) == expected
    assert tokenizer.encode(text, 256) == expected  # from what it has remembered


@pytest.mark.parametrize("most", [2, 3, 5, 9, 10, 11])
def test_a_text_is_cut_after_so_many_tokens(most, tokenizer):
    whole = tokenizer.encode("The cat sat, on the mat!", 256)
    assert tokenizer.encode("The cat sat, on the mat!", most) == [*whole[:-1][: most - 1], 102]


def small(*pieces, **rules):
    return WordPiece([*wordpiece.SPECIAL, *pieces], Rules(**rules))


def test_a_cased_vocabulary_keeps_case_and_accents():
    cased = small("Caf", "##\u00e9", "caf", lowercase=False, strip_accents=False)
    assert cased.encode("Caf\u00e9 caf\u00e9 CAF", 9) == [1, 3, 4, 5, 4, 0, 2]
    assert small("caf", "##\u00e9", strip_accents=False).encode("CAF\u00c9", 9) == [1, 3, 4, 2]


def test_ideographs_stay_together_where_the_rules_say_so():
    assert small("\u4e00", "##\u4e8c", split_ideographs=False).encode("\u4e00\u4e8c", 9) == [1, 3, 4, 2]
    assert small("\u4e00", "##\u4e8c").encode("\u4e00\u4e8c", 9) == [1, 3, 0, 2]


def test_the_longest_piece_wins_and_a_word_without_pieces_is_unknown_as_a_whole():
    pieces = small("un", "una", "##ble", "##b")
    assert pieces.encode("unable unbx", 9) == [1, 4, 5, 0, 2]


def test_the_name_of_a_special_piece_is_text():
    assert small("[", "]", "sep").encode("[SEP]", 9) == [1, 3, 5, 4, 2]


def test_a_vocabulary_without_a_special_piece_is_refused():
    with pytest.raises(ValueError, match=r"it has no \[CLS\]"):
        WordPiece(["[UNK]", "[SEP]"], Rules())


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(wordpiece, "_MOST_KEPT", 10)
    pieces = small("a", "##b")
    for number in range(1, 60):
        assert pieces.encode(f"a{'b' * number}", 99) == [1, 3, *[4] * number, 2]
        assert len(pieces._known) <= 10
    assert max(map(len, pieces._known)) <= 30


def test_a_text_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(wordpiece, "CHARACTERS_PER_TOKEN", 10)
    assert small("a").encode(f"a {' ' * 50}a", 4) == [1, 3, 2]


def test_lone_surrogates_are_left_out():
    assert small("a", "##b").encode("a\ud800b", 9) == [1, 3, 4, 2]


def test_threads_may_share_it():
    words = ["".join(random.Random(number).choices("ab", k=8)) for number in range(300)]
    pieces = small("a", "##a", "b", "##b")
    expected = [pieces.encode(word, 99) for word in words]
    pieces._known.clear()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda word: pieces.encode(word, 99), words)) == expected
