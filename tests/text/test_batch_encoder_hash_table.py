import numpy as np

from textclf.text.batch_encoder import ByteStrings, HashTable


def test_a_table_finds_each_key_that_was_added_and_no_other():
    words = [f"{number:x}" for number in range(20_000)]
    keys = ByteStrings.of(words).keys()
    even, odd = np.arange(0, len(words), 2), np.arange(1, len(words), 2)
    table = HashTable(bits=4)
    for some in np.array_split(even, 30):
        table = table.add(keys.at(some), some.astype(np.int32))
    assert table.find(keys.at(even)).tolist() == even.tolist()
    assert set(table.find(keys.at(odd)).tolist()) == {-1}
