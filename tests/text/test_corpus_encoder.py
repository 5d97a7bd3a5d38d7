from collections import Counter

import numpy as np
import pytest

from textclf.text.batch_encoder import TextBatch
from textclf.text.corpus_encoder import EncodedPreTokens, PreTokenNumbers, PreTokens
from textclf.text.tokenizer import LONGEST_WORD, UNK_ID, Tokenizer

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
    "b" * (3 * LONGEST_WORD + 5) + "!" + "é" * (2 * LONGEST_WORD),
    "क" + "ि" * (LONGEST_WORD + 9),
]


def count_tokens(texts, *, lowercase=True):
    """How often each token occurs, text by text."""
    tokenizer = Tokenizer([], lowercase=lowercase)
    return Counter(token for text in texts for token in tokenizer.tokens(text))


def encode(worker, text):
    batch = TextBatch.of([text])
    return worker.encode(batch, batch.pre_tokens())


def counted(tokenized, occurrences):
    """How often each token occurs, without zeros."""
    counts = tokenized.count_tokens(occurrences).tolist()
    return {tokenized.tokens[place]: count for place, count in enumerate(counts) if count}


def numbered(texts, lowercase=True, *, workers=1, most=10**6):
    """The numbers of each text, split by several workers in turn, and all pre-tokens."""
    pre_tokens, numbering, runs = PreTokens(), [PreTokenNumbers(most=most) for _ in range(workers)], []
    for place, text in enumerate(texts):
        worker = numbering[place % workers]
        numbers, lengths = encode(worker, text.lower() if lowercase else text)
        assert lengths.tolist() == [len(numbers)]
        runs.append(pre_tokens.renumber(numbers, worker=worker.worker, new=worker.take_new()))
    return runs, pre_tokens


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize(("workers", "most", "at_once"), [(1, 10**6, 10**6), (3, 10**6, 10), (2, 20, 1), (3, 1, 50)])
def test_counts_and_ids_are_those_of_the_tokenizer(lowercase, workers, most, at_once):
    runs, pre_tokens = numbered(ODD * 2, lowercase, workers=workers, most=most)
    occurrences = np.bincount(np.concatenate(runs), minlength=len(pre_tokens))
    tokenized = pre_tokens.tokenize(at_once=at_once)
    assert counted(tokenized, occurrences) == count_tokens(ODD * 2, lowercase=lowercase)
    half = count_tokens(ODD[::2], lowercase=lowercase)
    counts = np.array(list(half.values()))
    for size in (None, 10):
        tokenizer = Tokenizer.from_counts(list(half), counts, max_vocab=size, max_parts=500, lowercase=lowercase)
        encoded = EncodedPreTokens.of(tokenized.encode(tokenizer, at_once=at_once))
        ids, lengths = encoded.encode(np.concatenate(runs), np.array([len(run) for run in runs]))
        for text, found in zip(ODD * 2, np.split(ids, np.cumsum(lengths)[:-1]), strict=True):
            assert found.tolist() == tokenizer.encode(text).tolist()


def test_a_text_without_pre_tokens_is_one_unknown_word():
    (run,), pre_tokens = numbered(["a"])
    encoded = EncodedPreTokens.of(pre_tokens.tokenize().encode(Tokenizer(["a"])))
    ids, lengths = encoded.encode(run, np.array([0, 1, 0]))
    assert (ids.tolist(), lengths.tolist()) == ([UNK_ID, 2, UNK_ID], [1, 1, 1])


def test_a_pre_token_that_did_not_occur_has_no_count():
    _, pre_tokens = numbered(["a b,c", "d"])
    assert counted(pre_tokens.tokenize(), np.array([2, 3, 0])) == {"a": 2, "b": 3, ",": 3, "c": 3}


def test_workers_have_ids_of_their_own():
    assert len({PreTokenNumbers().worker for _ in range(100)}) == 100


def test_there_are_no_more_numbers_than_words_in_scripts_without_spaces_and_long_pre_tokens():
    generator = np.random.default_rng(0)
    texts = ["".join(generator.choice(list("東京大阪名古屋"), 20)) for _ in range(200)]
    texts += ["/".join(generator.choice(list("abcdef"), 30)) for _ in range(200)]
    _, pre_tokens = numbered(texts)
    assert len(pre_tokens) == 7 + 2 + 6 + 1  # two marks, and a slash


def test_no_texts_have_no_pre_tokens():
    tokenized = PreTokens().tokenize()
    assert counted(tokenized, np.zeros(0, dtype=np.int64)) == {}
    ids, offsets = EncodedPreTokens.of(tokenized.encode(Tokenizer(["a"])))
    assert (ids.tolist(), offsets.tolist()) == ([], [0])


def test_a_pre_token_has_one_number_however_often_it_occurs_and_among_however_many_others():
    generator = np.random.default_rng(0)
    letters = np.array(list("ab\x00é"))
    texts = [
        " ".join("".join(generator.choice(letters, size)) for size in generator.integers(1, 18, 300)) for _ in "x" * 90
    ]
    worker, known = PreTokenNumbers(), {}
    for text in [*texts, *texts]:
        numbers, lengths = encode(worker, text)
        pre_tokens = text.split()
        assert lengths.tolist() == [len(pre_tokens)]
        assert [known.setdefault(pre_token, len(known)) for pre_token in pre_tokens] == numbers.tolist()
    first, new = worker.take_new()
    assert (first, new.decode().split("\n")) == (0, [*known, ""])
    assert len(known) > 10_000
