import random
import tracemalloc
import unicodedata

import pytest

from textclf.text import unspaced
from textclf.text.batch_encoder import TextBatch
from textclf.text.corpus_encoder import EncodedPreTokens, PreTokenNumbers, PreTokens
from textclf.text.token_offsets import spans
from textclf.text.tokenizer import LONGEST_WORD, UNK_ID, Tokenizer

ALPHABET = [
    *(chr(code) for block in unspaced._BLOCKS[:4] for code in range(block[0], block[1] + 1)),
    *"เแโใไะาำๅๆ๑๒เเ្្္  aé字カ\u0301\u200b\u200c.,!",
]


def random_texts(seed, count=200):
    """Texts of letters, marks, vowels and digits of scripts without spaces, in any order, and some others."""
    generator = random.Random(seed)
    return ["".join(generator.choices(ALPHABET, k=generator.randrange(60))) for _ in range(count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ไม่มีช่องว่าง", "ไม่ มี ช่ อ ง ว่า ง"),
        ("เปิดไฟล์น้ำ", "เปิ ด ไฟ ล์ น้ำ"),
        ("พระๆ", "พ ระ ๆ"),
        ("เเก", "เเก"),  # two strokes of the key for one vowel
        ("ບໍ່ມີ ເຮັດ", "ບໍ່ ມີ ເຮັ ດ"),
        ("កម្ពុជា ខ្ញុំ", "ក ម្ពុ ជា ខ្ញុំ"),
        ("မြန်မာ တက္ကသိုလ်", "မြ န် မာ တ က္က သို လ်"),
        ("ꦗꦮ ᬩᬮᬶ", "ꦗ ꦮ ᬩ ᬮᬶ"),
        ("ปี๒๕๖๗ ค่าbaht3", "ปี ๒๕๖๗ ค่า baht3"),
        ("ฯลฯ ฿5", "ฯ ล ฯ ฿ 5"),
        ("時々〆", "時 々 〆"),
        ("བོད་ཡིག", "བོད ་ ཡིག"),  # Tibetan separates syllables
        ("한국어 हिन्दी", "한국어 हिन्दी"),  # and these separate words
    ],
)
def test_a_token_is_a_letter_with_all_that_belongs_to_it(text, expected):
    assert without_marks(Tokenizer([]).tokens(text)) == unicodedata.normalize("NFC", expected).split()


def without_marks(tokens):
    return [token for token in tokens if token not in unspaced.MARKS]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("มี ไฟ", "␂ มี ␃ ␂ ไฟ ␃"),
        ("a 字。 b", "a ␂ 字 。 ␃ b"),
        ("v2字", "␂ v2 字 ␃"),
        ("๒ ้ é 한국어", "๒ ้ é 한국어"),  # a digit, a mark, and scripts with spaces
    ],
)
def test_what_has_such_a_character_stands_between_marks(text, expected):
    assert Tokenizer([]).tokens(text) == unicodedata.normalize("NFC", expected).split()


def test_a_pre_token_of_one_character_has_marks_however_it_is_encoded():
    texts = ["字 a", "字字"]
    tokenizer = Tokenizer(["字", "a", *unspaced.MARKS])
    expected = [4, 2, 5, 3, 4, 2, 2, 5]
    assert [index for text in texts for index in tokenizer.encode(text).tolist()] == expected
    assert tokenizer.encode_all(texts, many=0)[0].tolist() == expected
    assert corpus_ids(texts, tokenizer) == expected


@pytest.mark.parametrize("seed", range(3))
def test_a_token_of_these_scripts_has_one_letter_unless_it_is_stacked(seed):
    stackers = {"\u1039", "\u17d2", "\u1a60"}
    for text in random_texts(seed):
        for token in filter(unspaced.begins, Tokenizer([]).tokens(text)):
            assert unspaced.is_in(token)
            bases = [
                character
                for before, character in zip(" " + token, token, strict=False)
                if unicodedata.category(character) == "Lo" and before not in stackers
            ]
            vowels = [character for character in bases if character in "เแโใไເແໂໃໄะาำๅະາຳຽ"]
            assert len(bases) - len(vowels) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_texts_and_corpora_are_encoded_alike_and_each_token_has_its_place(seed):
    texts = random_texts(seed)
    tokenizer = Tokenizer.fit(texts[::2], max_parts=500)
    ids, lengths = tokenizer.encode_all(texts, many=0)
    expected = [tokenizer.encode(text).tolist() for text in texts]
    assert ids.tolist() == [index for run in expected for index in run]
    assert lengths.tolist() == list(map(len, expected))
    assert corpus_ids(texts, tokenizer) == ids.tolist()
    for text in texts:
        places = spans(text, lowercase=True)
        tokens = tokenizer.tokens(text)
        written = [unicodedata.normalize("NFC", text[start:end].lower()) for start, end in places]
        assert all(
            (token in place) or (token in unspaced.MARKS and not place)
            for token, place in zip(tokens, written, strict=True)
        )


def corpus_ids(texts, tokenizer):
    """The ids of all texts end to end, as `preprocess` finds them."""
    worker, corpus = PreTokenNumbers(), PreTokens()
    batch = TextBatch.of([text.lower() for text in texts])
    numbers, lengths = worker.encode(batch, batch.pre_tokens())
    numbers = corpus.renumber(numbers, worker=worker.worker, new=worker.take_new())
    encoded = EncodedPreTokens.of(corpus.tokenize().encode(tokenizer))
    return encoded.encode(numbers, lengths)[0].tolist()


def test_a_long_text_without_a_space_takes_little_memory():
    tokenizer = Tokenizer(["ก"])
    text = "ก่" * 100_000
    tracemalloc.start()
    ids = tokenizer.encode(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ids.tolist() == [UNK_ID] * 100_002  # with the marks at both ends
    assert peak < 40 * len(text)


@pytest.mark.parametrize(
    ("unit", "times"),
    [("ก", 1_000_000), ("เ", 50_000), ("น้ำ", 50_000), ("\u0e48", 50_000), ("\u17d2", 50_000), ("ក\u17d2", 50_000)],
    ids=ascii,
)
def test_many_letters_without_a_space_are_cut_into_tokens(unit, times):
    text = unit * times
    tokens = without_marks(Tokenizer([]).tokens(text))
    assert "".join(tokens) == unicodedata.normalize("NFC", text)
    assert max(map(len, tokens)) <= LONGEST_WORD + 2  # two vowels before the letter
