"""What this process reads, counts and writes, through the interface that a cluster has, too."""

from pathlib import Path

import numpy as np

from textclf import sources
from textclf.dataset.engine import Here
from textclf.dataset.manifest import DataLayout
from textclf.dataset.read_corpus import BATCH, Work
from textclf.dataset.write_parts import NumberedDocuments, PartPlan, prepare
from textclf.sources import SourceOptions
from textclf.system import workers
from textclf.text.tokenizer import Tokenizer

ROWS = [("the cat", "a"), ("the dog the cat", "b"), ("", "a"), ("a dog", "b")]


def test_a_corpus_is_read_counted_and_written_once():
    corpus = sources.hold(ROWS, options=SourceOptions())
    layout = DataLayout(Path("out"))
    scratch = layout.root / "scratch"
    scratch.mkdir(parents=True)
    with workers.lazy_pool(1, imports="textclf.errors") as pool:
        here = Here(Work(pool, lambda items, _title, _total: items, BATCH))
        texts = here.read(corpus, scratch, lowercase=True)
        counts = here.count(texts, np.array([True, False, True, True]))
        names = texts.pre_tokens.joined().decode().split()
        assert dict(zip(names, counts.tolist(), strict=True)) == {"the": 1, "cat": 1, "dog": 1, "a": 1}
        tokenizer = Tokenizer.fit([text for text, _ in ROWS], max_parts=0)
        lengths = np.diff(texts.offsets).astype(np.int32)
        documents = NumberedDocuments(texts.spool, texts.offsets[:-1], lengths, tokenizer.word_ids)
        documents.save(texts.pre_tokens.tokenize().encode(tokenizer))
        prepare(layout, has_tensors=False)
        plans = [PartPlan(layout, 0, 0, documents, None, compare=False, is_resumed=False)]
        assert (here.found(plans), here.batch, here.keeps_shards) == ([None], BATCH, False)
        (written,) = here.write(plans, [None])
        (found,) = here.found(plans)
    assert written.documents.lengths.tolist() == [2, 4, 1, 2]
    assert found is not None
    assert found.checksum == written.checksum
    assert str(plans[0]) == "part-00000"
