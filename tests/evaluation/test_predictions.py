from dataclasses import replace

import numpy as np
import pytest

from textclf import load_model
from textclf.errors import UsageError
from textclf.evaluation.predictions import Tokens, predict


def test_documents_are_those_of_the_split_with_their_labels(run_dir):
    found = predict(run_dir, split="test")
    assert [found.document(place)[:5] for place in range(len(found.rows))] == ["test-"] * len(found.rows)
    assert [found.label(place) for place in range(len(found.rows))] == [found.names[label] for label in found.labels]


def test_documents_are_called_what_the_source_calls_them(run_dir):
    found = predict(run_dir, split="test")
    table = found.data.documents
    named = replace(table, source=np.array([f"ticket/{row}" for row in range(len(table))], dtype=object))
    assert replace(found, data=replace(found.data, documents=named)).document(0) == f"ticket/{found.rows[0]}"
    numbered = replace(table, source=np.array([str(row) for row in range(len(table))], dtype=object))
    columns = replace(found.data.manifest.columns, id="ticket")
    manifest = replace(found.data.manifest, columns=columns)
    theirs = replace(found, data=replace(found.data, documents=numbered, manifest=manifest))
    assert theirs.document(0) == str(found.rows[0])


def test_answers_and_probabilities_are_those_of_predict(run_dir):
    found = predict(run_dir, split="test")
    said = load_model(run_dir).predict([found.text(place) for place in range(len(found.rows))])
    assert [found.outcome.answer(place) for place in range(len(said))] == [one.label for one in said]
    assert found.outcome.probabilities.max(axis=1) == pytest.approx([one.probability for one in said], abs=1e-5)


def test_mistakes_come_with_the_surest_first(run_dir):
    found = predict(run_dir, split="train")
    labels = np.roll(found.labels, 1)  # of other documents: most answers are wrong now
    wrong = replace(found, labels=labels)
    places = wrong.outcome.mistakes(10)
    sure = wrong.outcome.probabilities.max(axis=1)[places]
    assert len(places) == 10
    assert (wrong.raw.argmax(axis=1)[places] != labels[places]).all()
    assert (np.diff(sure) <= 0).all()


def test_documents_of_several_labels_have_all_of_them(several_run):
    found = predict(several_run, split="test")
    names = [found.label(place).split(", ") if found.label(place) else [] for place in range(len(found.rows))]
    assert found.outcome.truth.tolist() == [[name in some for name in found.names] for some in names]
    assert {len(some) for some in names} == {0, 1, 2}
    assert found.unseen() == {}


def test_a_long_text_is_cut(run_dir):
    found = predict(run_dir, split="test")
    assert found.text(0, most=2).count(" ") == 2
    assert found.text(0, most=2).endswith(" …")


def test_a_split_that_is_not_there_is_refused(run_dir):
    with pytest.raises(UsageError, match="has no dev split"):
        predict(run_dir, split="dev")


@pytest.mark.parametrize("size", [1, 4, 100])
def test_batches_hold_the_tokens_of_all_documents_in_order(size, run_dir):
    found = predict(run_dir, split="test")
    batches = list(Tokens(found.data, found.trained.tokenizer).batches(found.rows, size=size))
    tokens, lengths = map(np.concatenate, zip(*batches, strict=True))
    expected_tokens, expected_lengths = found.data.packed().gather(found.rows)
    np.testing.assert_array_equal(tokens, expected_tokens)
    np.testing.assert_array_equal(lengths, expected_lengths)
    assert max(len(batch[1]) for batch in batches) <= size
