import numpy as np
import pytest

from textclf.text.byte_strings import Texts
from textclf.text.corpus_encoder import Chunks, Numbers
from textclf.text.tokenizer import Tokenizer, count_tokens

ODD = [
    "The cat sat; the cat ran.",
    "don't stop-me (now)",
    "नमस्ते दुनिया",
    "東京タワーは高い。 東京",
    "ภาษาไทยไม่มีช่องว่าง",
    "한국어 문장입니다, 한국어",
    "e\u0301te\u0301 été ÉTÉ",
    "Straße İstanbul ǅ",
    "a" * 5000 + " " + "x" * 41 + "!",
    "https://example.org/a/b?c=d&e=" + "f" * 50,
    "a" + "\u0301" * 300,
    "👍🏽👨‍👩‍👧 \u200d \u0301",
    "می‌خواهم",
    "a\x1cb\x85c\u3000d\x00e",
    "______ ___",
    "字" * 600 + "\u0301" * 40,
]


def numbers_of(numbers, text):
    cut = Texts.of([text])
    return numbers.of(cut, cut.chunks())


def numbered(texts, lowercase=True, *, processes=1):
    """The texts as our numbers, batches of them cut by several processes in turn, and all chunks."""
    chunks, workers, runs = Chunks(), [Numbers() for _ in range(processes)], []
    for place, text in enumerate(texts):
        numbers = workers[place % processes]
        theirs, lengths = numbers_of(numbers, text.lower() if lowercase else text)
        assert lengths.tolist() == [len(theirs)]
        runs.append(chunks.renumber(theirs, process=place % processes, new=numbers.take_new()))
    return runs, chunks


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("processes", [1, 3])
def test_counts_and_ids_are_those_of_the_tokenizer(lowercase, processes):
    runs, chunks = numbered(ODD * 2, lowercase, processes=processes)
    cut = chunks.cut()
    counts = cut.counts(np.bincount(np.concatenate(runs), minlength=len(chunks)))
    assert counts == count_tokens(ODD * 2, lowercase=lowercase)
    assert all(type(count) is int for count in counts.values())
    half = count_tokens(ODD[::2], lowercase=lowercase)
    for most in (None, 10):
        tokenizer = Tokenizer.from_counts(half, max_vocab=most, max_parts=500, lowercase=lowercase)
        ids, offsets = cut.encoded(tokenizer)
        table = np.split(ids, offsets[1:-1])
        for text, run in zip(ODD * 2, runs, strict=True):
            assert np.concatenate([table[number] for number in run]).tolist() == tokenizer.encode(text).tolist()


def test_a_chunk_that_did_not_occur_has_no_count():
    _, chunks = numbered(["a b,c", "d"])
    assert chunks.cut().counts(np.array([2, 3, 0])) == {"a": 2, "b": 3, ",": 3, "c": 3}


def test_there_are_no_more_numbers_than_words_in_scripts_without_spaces_and_long_chunks():
    generator = np.random.default_rng(0)
    texts = ["".join(generator.choice(list("東京大阪名古屋"), 20)) for _ in range(200)]
    texts += ["/".join(generator.choice(list("abcdef"), 30)) for _ in range(200)]
    _, chunks = numbered(texts)
    assert len(chunks) == 7 + 6 + 1


def test_no_texts_have_no_chunks():
    cut = Chunks().cut()
    assert cut.counts(np.zeros(0, dtype=np.int64)) == {}
    ids, offsets = cut.encoded(Tokenizer(["a"]))
    assert (ids.tolist(), offsets.tolist()) == ([], [0])


def test_a_chunk_has_one_number_however_often_and_among_how_many_it_comes():
    generator = np.random.default_rng(0)
    letters = np.array(list("ab\x00é"))
    texts = [
        " ".join("".join(generator.choice(letters, size)) for size in generator.integers(1, 18, 300)) for _ in "x" * 90
    ]
    numbers, known = Numbers(), {}
    for text in [*texts, *texts]:
        run, lengths = numbers_of(numbers, text)
        chunks = text.split()
        assert lengths.tolist() == [len(chunks)]
        assert [known.setdefault(chunk, len(known)) for chunk in chunks] == run.tolist()
    assert numbers.take_new() == list(known)
    assert len(known) > 10_000
