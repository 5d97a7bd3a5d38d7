import numpy as np

from textclf.text.batch_encoder import ByteStrings, HashTable


def test_a_table_finds_each_key_that_was_added_and_no_other():
    words = [f"{number:x}" for number in range(20_000)]
    keys = ByteStrings.of(words).keys()
    even, odd = np.arange(0, len(words), 2), np.arange(1, len(words), 2)
    table = HashTable(bits=4)
    for some in np.array_split(even, 30):
        table.add(keys.at(some), some.astype(np.int32))
    assert table.find(keys.at(even)).tolist() == even.tolist()
    assert set(table.find(keys.at(odd)).tolist()) == {-1}
    assert len(table) == len(even)
    assert table.keys.low.tolist() == keys.at(even).low.tolist()


def test_new_keys_are_numbered_in_the_order_in_which_they_first_come():
    generator = np.random.default_rng(0)
    words = [f"{number:x}" for number in generator.integers(0, 5_000, 30_000)]
    table, known = HashTable(bits=4), {}
    for start in range(0, len(words), 700):
        some = words[start : start + 700]
        found = table.number(ByteStrings.of(some).keys())
        assert found.tolist() == [known.setdefault(word, len(known)) for word in some]
    assert table.number(ByteStrings.of([]).keys()).tolist() == []
    assert len(table) == len(known)
