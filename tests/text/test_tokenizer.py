# ruff: noqa: RUF001  these are other scripts, not misspelt Latin
import json
import os
import pickle
import random
import subprocess
import sys
import time
import unicodedata
from collections import Counter

import numpy as np
import pytest

from textclf.text import unspaced
from textclf.text.subwords import word_parts
from textclf.text.tokenizer import (
    LONGEST_WORD,
    PAD,
    PAD_ID,
    PIECE_CHARACTERS,
    TYPE,
    UNK,
    UNK_ID,
    Tokenizer,
    pieces_of,
    pre_tokens_of,
    split_pre_token,
    token_runs,
)

PLAIN = Tokenizer([])
SAMPLES = (
    "The cat sat; the dog, too.",
    "किताब में लिखा है।",
    "東京タワー 我爱北京",
    "می‌خواهم ❤️ 👍🏽 1️⃣",
    "",
    " \t\n\u3000",
)


def random_texts(seed, count=300):
    """Texts of characters from all of Unicode, ASCII and combining marks among them more often than by chance."""
    rng = random.Random(seed)
    alphabets = (
        [chr(code) for code in range(0x20, 0x7F)],
        [chr(code) for code in range(0x300, 0x370)],
        [chr(code) for code in range(0x900, 0xE80)],
        list(" \t\n\u00a0\u2028\u200b\u200c\u200d\ufe0f"),
        [chr(code) for code in range(0x80, 0x20000) if not 0xD800 <= code < 0xE000],
    )
    for _ in range(count):
        yield "".join(rng.choice(rng.choice(alphabets)) for _ in range(rng.randrange(40)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat sat", "the cat sat"),
        ("It's 3.14, ok?!", "it ' s 3 . 14 , ok ? !"),
        ("a_name e-mail x@y.org", "a_name e - mail x @ y . org"),
        ("don’t “quote” naïve…", "don ’ t “ quote ” naïve …"),
        ("tabs\tand\nlines\u3000and\u00a0spaces\u2028end", "tabs and lines and spaces end"),
        ("Straße ÉTÉ Ελλάδα ΟΔΟΣ Москва", "straße été ελλάδα οδο\u03c2 москва"),
        ("हिन्दी में किताब लिखी।", "हिन्दी में किताब लिखी ।"),
        ("বাংলা தமிழ் తెలుగు", "বাংলা தமிழ் తెలుగు"),
        ("ภาษาไทย ລາວ ខ្មែរ", "␂ ภา ษา ไท ย ␃ ␂ ລາ ວ ␃ ␂ ខ្មែ រ ␃"),
        ("مُحَمَّد שָׁלוֹם", "مُحَمَّد שָׁלוֹם"),
        ("می\u200cخواهم کتاب‌ها", "می\u200cخواهم کتاب‌ها"),
        ("ශ්\u200dරී ලංකා", "ශ්\u200dරී ලංකා"),
        ("我爱北京。", "␂ 我 爱 北 京 。 ␃"),
        ("東京タワーへGo", "␂ 東 京 タ ワ ー へ go ␃"),
        ("GPU显卡v2", "␂ gpu 显 卡 v2 ␃"),
        ("\U00020000\U0002a6d6", "␂ \U00020000 \U0002a6d6 ␃"),
        ("한국어 텍스트", "한국어 텍스트"),
        ("I ❤️ U ☀︎", "i ❤\ufe0f u ☀\ufe0e"),
        ("👍🏽👍 1️⃣", "👍 🏽 👍 1\ufe0f\u20e3"),
        ("x\u20d7 ≠ y", "x\u20d7 ≠ y"),
    ],
)
def test_words_and_marks_of_every_script(text, expected):
    assert PLAIN.tokens(text) == expected.split(" ")


@pytest.mark.parametrize("seed", range(3))
def test_a_text_is_split_and_nothing_is_lost(seed):
    for text in random_texts(seed):
        tokens = PLAIN.tokens(text)
        written = [token for token in tokens if token not in unspaced.MARKS]
        assert "".join(written) == "".join(unicodedata.normalize("NFC", text.lower()).split())
        assert all(tokens)


def test_a_pre_token_is_split_alike_whether_or_not_it_is_ascii():
    rng = random.Random(0)
    for _ in range(300):
        pre_token = "".join(chr(rng.randrange(0x21, 0x7F)) for _ in range(rng.randrange(20)))
        assert split_pre_token(pre_token + "。") == [*split_pre_token(pre_token), "。"]


@pytest.mark.parametrize("text", ["Café", "Å", "한국어", "ガ", "\u1ebf"])
def test_one_word_has_one_spelling(text):
    spellings = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    assert len(spellings) == 2
    assert len({tuple(PLAIN.tokens(spelling)) for spelling in spellings}) == 1
    assert PLAIN.tokens("\u212b") == ["å"]  # the sign of the unit is the letter


@pytest.mark.parametrize("seed", range(3))
def test_composed_or_not_a_text_has_the_same_tokens(seed):
    for text in random_texts(seed):
        composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
        assert PLAIN.tokens(composed) == PLAIN.tokens(decomposed)


@pytest.mark.parametrize("text", ["あ" + "が" * 1_000, "x" + "é" * 1_000, "ab" + "각" * 1_000, "a" + "ệ" * 1_000])
def test_composed_or_not_a_long_text_without_spaces_has_the_same_tokens(text):
    assert PLAIN.tokens(unicodedata.normalize("NFD", text)) == PLAIN.tokens(text)


def test_case_counts_only_if_asked():
    assert Tokenizer([], lowercase=True).tokens("Bush BUSH bush") == ["bush"] * 3
    assert Tokenizer([], lowercase=False).tokens("Bush BUSH bush") == ["Bush", "BUSH", "bush"]
    assert Tokenizer.fit(["Bush bush"], lowercase=False).words[2:] == ("Bush", "bush")


def test_ids_are_the_indices_of_the_tokens_in_the_vocabulary():
    tokenizer = Tokenizer.fit(SAMPLES)
    for text in SAMPLES[:4]:
        ids = tokenizer.encode(text)
        assert ids.dtype == np.int32
        assert [tokenizer.words[index] for index in ids] == tokenizer.tokens(text)
    distinct = {token for text in SAMPLES for token in PLAIN.tokens(text)}
    assert tokenizer.size == len(tokenizer.words) == 2 + len(distinct)


def test_the_first_two_ids_are_padding_and_unknown():
    tokenizer = Tokenizer.fit(["a"])
    assert tokenizer.words == (PAD, UNK, "a")
    assert (PAD_ID, UNK_ID) == (0, 1)
    assert tokenizer.encode("a b <pad> a").tolist() == [2, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000\u2028"])
def test_a_text_without_tokens_is_one_unknown_word(text):
    ids = Tokenizer.fit(["a"]).encode(text)
    assert ids.tolist() == [UNK_ID]
    assert ids.dtype == np.int32


@pytest.mark.parametrize("max_parts", [0, 1_000])
def test_ids_do_not_depend_on_earlier_texts(max_parts):
    used = Tokenizer.fit([*SAMPLES, *random_texts(6)], max_parts=max_parts)
    fresh = pickle.dumps(used)
    texts = [*SAMPLES, *random_texts(4), "x" * 1_000]
    for _ in range(2):
        for text in texts:
            assert used.encode(text).tolist() == pickle.loads(fresh).encode(text).tolist()


def test_only_short_pre_tokens_are_cached_and_not_too_many():
    used = Tokenizer(["a"], cached_pre_tokens=10)
    before = len(pickle.dumps(used))
    used.encode("我" * 100_000)
    used.encode(" ".join(f"word{number}" for number in range(10_000)))
    assert len(pickle.dumps(used)) < before + 1_000


def test_the_vocabulary_is_ordered_by_count_then_by_spelling():
    assert Tokenizer.fit(["c b b", "a b c", "z"]).words[2:] == ("b", "c", "a", "z")


def test_the_vocabulary_does_not_depend_on_the_order_of_the_texts():
    texts = [f"word{i % 17} word{i % 5}" for i in range(100)]
    shuffled = random.Random(0).sample(texts, len(texts))
    assert Tokenizer.fit(shuffled).to_json() == Tokenizer.fit(texts).to_json()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ("a", "b", "c", "d")),
        ({"max_vocab": 2}, ("a", "b")),
        ({"max_vocab": 9}, ("a", "b", "c", "d")),
        ({"min_count": 2}, ("a", "b")),
        ({"min_count": 4}, ()),
        ({"min_count": 2, "max_vocab": 1}, ("a",)),
    ],
)
def test_the_vocabulary_is_limited(limits, expected):
    assert Tokenizer.fit(["a a a b b c", "d"], **limits).words[2:] == expected


def test_words_are_learned_only_from_the_given_texts():
    tokenizer = Tokenizer.fit(["the cat the"], max_parts=9)
    before = tokenizer.to_json()
    assert tokenizer.encode("the dog").tolist() == [tokenizer.words.index("the"), UNK_ID]
    assert tokenizer.to_json() == before


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a", "<a>"),
        ("ab", "<ab ab> <ab>"),
        ("cats", "<ca cat ats ts> <cat cats ats>"),
        ("aaa", "<aa aaa aa> <aaa aaa>"),
        ("字", "<字>"),
        ("कि", "<कि कि> <कि>"),
        ("<", "<<>"),
    ],
)
def test_parts_of_a_word_are_its_runs_of_three_and_four_characters_between_marks(word, expected):
    assert word_parts(word) == expected.split(" ")


def test_an_unknown_word_is_followed_by_its_known_parts_and_a_known_one_is_not():
    tokenizer = Tokenizer(["cats"], parts=["at>", "<ca", "cat", "zzz"])
    assert tokenizer.size == 3
    assert tokenizer.parts == ("at>", "<ca", "cat", "zzz")
    assert tokenizer.encode("cats Cat dog hat").tolist() == [2, UNK_ID, 4, 5, 3, UNK_ID, UNK_ID, 3]


def test_a_part_of_a_word_counts_as_often_as_it_occurs():
    assert Tokenizer([], parts=["aaa"]).encode("aaaaa").tolist() == [UNK_ID, 2, 2, 2]


@pytest.mark.parametrize("seed", range(3))
def test_parts_only_add_ids_to_an_encoded_text(seed):
    rng = random.Random(seed)
    texts = [f"{text} {''.join(rng.choices('abc', k=5))}" for text in random_texts(seed, 100)]
    tokenizer = Tokenizer.fit(texts[:50], max_parts=200)
    plain = Tokenizer.fit(texts[:50])
    parts = 0
    for text in texts:
        ids = tokenizer.encode(text)
        assert ids[ids < tokenizer.size].tolist() == plain.encode(text).tolist()
        unknown = [token for token in tokenizer.tokens(text) if token not in tokenizer.words]
        expected = [part for token in unknown for part in word_parts(token) if part in tokenizer.parts]
        assert [tokenizer.parts[index - tokenizer.size] for index in ids[ids >= tokenizer.size]] == expected
        parts += len(expected)
    assert parts


def test_parts_are_ordered_by_the_occurrences_of_the_words_that_have_them_then_by_spelling():
    tokenizer = Tokenizer.fit(["cat cat", "hat: aaaaa aaaaa"], max_parts=100)
    # cat twice and hat once; aaa stands three times in a word and counts once in each; what occurs once is no part
    twice = ["<aa", "<aaa", "<ca", "<cat", "aa>", "aaa", "aaa>", "aaaa", "cat", "cat>"]
    assert tokenizer.parts == ("at>", *twice)


@pytest.mark.parametrize(("max_parts", "expected"), [(0, ()), (1, ("at>",)), (3, ("at>", "<aa", "<aaa"))])
def test_parts_are_limited(max_parts, expected):
    assert Tokenizer.fit(["cat cat", "hat aaaaa aaaaa"], max_parts=max_parts).parts == expected


def test_by_default_there_are_no_parts():
    assert Tokenizer.fit(["cat cat"]).parts == ()


def test_parts_are_also_learned_from_words_that_the_vocabulary_leaves_out():
    tokenizer = Tokenizer.fit(["the the the cats cats hats"], max_vocab=1, max_parts=100)
    assert tokenizer.words[2:] == ("the",)
    assert {"ats", "<ca"} <= set(tokenizer.parts)
    assert "<ha" not in tokenizer.parts


@pytest.mark.parametrize("seed", range(3))
def test_parts_are_those_of_every_token_counted_one_by_one(seed):
    texts = list(random_texts(seed))
    counts = Counter(part for text in texts for token in PLAIN.tokens(text) for part in set(word_parts(token)))
    expected = sorted((part for part, count in counts.items() if count > 1), key=lambda part: (-counts[part], part))
    assert len(expected) > 100
    assert Tokenizer.fit(texts, max_parts=100_000).parts == tuple(expected)


def test_the_spelling_has_the_known_parts_of_every_word():
    tokenizer = Tokenizer(["cats", "a", "dog", "cat"], parts=["at>", "<ca", "cat", "<a>"])
    spelling, counts = tokenizer.spelling()
    assert spelling.tolist() == [1, 2, 3, 1, 2, 0]
    assert counts.tolist() == [0, 0, 2, 1, 0, 3]
    assert (spelling.dtype, counts.dtype) == (np.int32, np.int32)


def test_without_parts_nothing_is_spelled():
    spelling, counts = Tokenizer(["cats", "a"]).spelling()
    assert (spelling.tolist(), counts.tolist()) == ([], [0, 0, 0, 0])
    assert (spelling.dtype, counts.dtype) == (np.int32, np.int32)


def test_a_word_is_spelled_as_if_it_were_unknown():
    texts = [text for seed in range(3) for text in random_texts(seed, 100)]
    tokenizer = Tokenizer.fit(texts, max_parts=300)
    strange = Tokenizer([], parts=tokenizer.parts)
    spelling, counts = tokenizer.spelling()
    spelled = np.split(spelling, np.cumsum(counts)[:-1])
    assert len(spelled) == tokenizer.size
    for word, parts in zip(tokenizer.words[2:], spelled[2:], strict=True):
        assert strange.encode_tokens([word])[0].tolist() == [UNK_ID, *(parts + strange.size)]


@pytest.mark.parametrize("vocabulary", [{"words": ["a", "a"]}, {"words": [PAD]}, {"words": [], "parts": ["abc"] * 2}])
def test_a_word_or_part_that_occurs_twice_is_refused(vocabulary):
    with pytest.raises(ValueError, match="twice"):
        Tokenizer(**vocabulary)


def test_a_part_may_be_spelled_like_a_word():
    assert Tokenizer(["cat"], parts=["cat"]).encode("cat cats").tolist() == [2, UNK_ID, 3]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("max_parts", [0, 20])
def test_a_tokenizer_survives_json(lowercase, max_parts):
    tokenizer = Tokenizer.fit(SAMPLES * 2, lowercase=lowercase, max_parts=max_parts)
    assert len(tokenizer.parts) == max_parts
    again = Tokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    assert again.to_json() == tokenizer.to_json()
    assert (again.words, again.parts) == (tokenizer.words, tokenizer.parts)
    for text in (*SAMPLES, "Cats dogs; THEY"):
        assert again.encode(text).tolist() == tokenizer.encode(text).tolist()


GOOD = {"type": TYPE, "lowercase": True, "words": "a b", "parts": "abc abcd"}


@pytest.mark.parametrize(
    "data",
    [
        {},
        *({key: value for key, value in GOOD.items() if key != left_out} for left_out in GOOD),
        GOOD | {"pattern": r"(a+)+$"},
        GOOD | {"type": "Regex"},
        GOOD | {"type": "words"},
        GOOD | {"type": [TYPE]},
        GOOD | {"lowercase": 1},
        GOOD | {"lowercase": None},
        GOOD | {"words": ["a", "b"]},
        GOOD | {"words": {"a": 0}},
        GOOD | {"words": None},
        GOOD | {"words": "a a"},
        GOOD | {"words": f"a {UNK}"},
        GOOD | {"words": PAD},
        GOOD | {"parts": ["abc"]},
        GOOD | {"parts": {"abc": 0}},
        GOOD | {"parts": 1},
        GOOD | {"parts": "abc abc"},
        GOOD | {"parts": None},
        *(None, 3, TYPE, [], list(GOOD), [{}]),
    ],
    ids=repr,
)
def test_other_json_is_refused(data):
    assert Tokenizer.from_json(GOOD).to_json() == GOOD
    with pytest.raises(ValueError, match=r"tokenizer|lowercase must|twice"):
        Tokenizer.from_json(data)


def seconds(text):
    tokenizer = Tokenizer([], parts=[part for part in word_parts(text[:20]) if len(part) == 3][:1])

    def once():
        start = time.process_time()
        tokenizer.encode(text)
        return time.process_time() - start

    return min(once() for _ in range(3))


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "a ",
        "a.",
        "\t\n",
        "_",
        "é",
        "e\u0301",
        "\u0301",
        "\u0315\u0300",
        "\u0ec8\u0e38",
        "\u200d",
        "字",
        "我a",
        "ก",
        "เ",
        "ก\u0e48",
        "\u0e48",
        "ក\u17d2",
        "👍🏽",
        "❤️",
        "Σ'",
        "\u1100\u1161",
        "\ufdfa",
    ],
    ids=ascii,
)
def test_time_is_linear_in_the_length_of_the_text(unit):
    # eight times the text takes eight times as long, and 64 times if the time is quadratic
    assert seconds(unit * 16_000) < 24 * max(seconds(unit * 2_000), 1e-4)


ELSEWHERE = """
import json, pickle, sys
from textclf.text import unspaced
from textclf.text.tokenizer import Tokenizer
tokenizer, texts = pickle.load(sys.stdin.buffer)
fitted = Tokenizer.fit(texts, max_parts=9)
print(json.dumps([[t.encode(text).tolist() for text in texts] for t in (tokenizer, fitted)]))
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_gives_the_same_ids(hash_seed):
    samples = [*SAMPLES * 2, "those dogs sit, too", "cats", "sofa"]
    tokenizer = Tokenizer.fit(samples, max_parts=9)
    expected = [tokenizer.encode(text).tolist() for text in samples]
    answer = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        input=pickle.dumps((tokenizer, samples)),
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(answer.stdout) == [expected, expected]


@pytest.mark.parametrize("max_parts", [0, 300])
def test_tokens_are_encoded_as_if_each_were_a_text(max_parts):
    tokenizer = Tokenizer.fit(["the cats ran; the cat", "कि कि кошка кошкам", "<unk> <pad>"], max_parts=max_parts)
    tokens = ["the", "catty", ";", "?", "кошки", "कि", "<", "字", "unk", "x" * 300]
    ids, lengths = tokenizer.encode_tokens(tokens)
    expected = [tokenizer.encode(token).tolist() for token in tokens]
    expected[tokens.index("字")] = [UNK_ID]  # as a text it would have marks
    assert lengths.tolist() == [len(run) for run in expected]
    assert ids.tolist() == [index for run in expected for index in run]
    assert tokenizer.encode_tokens([])[0].tolist() == []


def test_a_restricted_tokenizer_knows_these_words_and_parts_alone():
    whole = Tokenizer.fit(["cat cat sat", "cat mat"], max_parts=100)
    words = [0, 1, whole.words.index("sat")]
    small = whole.restricted(words, [0])
    assert small.words == ("<pad>", "<unk>", "sat")
    assert small.parts == whole.parts[:1]
    assert small.lowercase == whole.lowercase


def test_of_equally_frequent_words_those_first_by_spelling_are_kept_in_a_list_or_not():
    words = [f"{number % 97}é{number}" for number in range(3_000)]
    counts = np.array([number % 7 for number in range(3_000)])
    everything = Tokenizer.from_counts(words, counts).words[2:]
    assert len(everything) == np.count_nonzero(counts)
    assert list(everything) == sorted(everything, key=lambda word: (-counts[words.index(word)], word))
    for limit in (1, 10, 1_000, 2_999):
        assert Tokenizer.from_counts(words, counts, max_vocab=limit).words[2:] == everything[:limit]


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_the_pieces_of_a_text_have_its_pre_tokens(size):
    for text in [*SAMPLES, "", " ", " a ", "a\u3000b\x1cc \n d", "ΟΔΟΣ ΟΔΟΣ ΣΟΦΟΣ. Σ", "\u0130 \u0130x"]:
        pieces = list(pieces_of(text, size=size))
        assert [word for piece in pieces for word in pre_tokens_of(piece, lowercase=True)] == text.lower().split()


@pytest.mark.parametrize("letter", ["a", "é", "क", "_", "\U0001d400"])
def test_a_run_of_letters_is_cut_into_words_of_the_longest_length(letter):
    tokens = split_pre_token(letter * (2 * LONGEST_WORD + 3))
    assert tokens == [letter * LONGEST_WORD, letter * LONGEST_WORD, letter * 3]
    assert split_pre_token(letter * LONGEST_WORD) == [letter * LONGEST_WORD]


def test_marks_without_end_are_cut_as_well():
    tokens = split_pre_token("a" + "\u0323" * (3 * LONGEST_WORD))
    assert max(map(len, tokens)) == LONGEST_WORD
    assert "".join(tokens) == unicodedata.normalize("NFC", "a\u0323") + "\u0323" * (3 * LONGEST_WORD - 1)


@pytest.mark.parametrize("size", [1, 3, 10**6])
def test_runs_of_tokens_are_those_of_the_pre_token(size):
    for text in [*SAMPLES, "a" * 5_000, "a,b!" * 50, "字" * 100]:
        for pre_token in text.split():
            runs = list(token_runs(pre_token, size=size))
            assert [token for run in runs for token in run] == split_pre_token(pre_token)
            assert all(len(run) <= size for run in runs)


def test_a_long_text_has_the_ids_of_its_words():
    tokenizer = Tokenizer.fit(["word a word, 字 👍 é"], max_parts=50)
    words = "word, Wordé 👍 "
    ids = tokenizer.encode(words * (2 * PIECE_CHARACTERS // len(words)))
    assert ids.tolist() == tokenizer.encode(words).tolist() * (2 * PIECE_CHARACTERS // len(words))
