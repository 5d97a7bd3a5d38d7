"""New texts beside the test documents: changed ones are drift, the same are not, and memory does not grow."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import textclf
from tests.conftest import TEXTS, invoke
from textclf.dataset.directory import DataDirectory
from textclf.errors import DataError
from textclf.experiments import drift
from textclf.experiments.select import rows_of_texts
from textclf.inference.classifier import load_model

only_mlp = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
only_mlp_of_several = pytest.mark.parametrize("several_run", ["mlp"], indirect=True)

SAME = [text for texts in TEXTS.values() for text in texts] * 10
OTHER = ["qux zorg blib fnord quux"] * 60


def compared(run, texts):
    model = load_model(run)
    return drift.drift(model, drift.held_out(run, model), rows_of_texts(texts))


def test_the_test_of_two_samples_is_that_of_scipy():
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, 1_000, 400), draw.integers(0, 900, 300)
    distance, p_value = drift.kolmogorov_smirnov(*(np.bincount(each, minlength=1_000) for each in (one, other)))
    expected = stats.ks_2samp(one, other, method="asymp")
    assert distance == pytest.approx(expected.statistic)
    assert p_value == pytest.approx(expected.pvalue, rel=0.1)  # scipy corrects the number of texts a little


def test_the_test_of_labels_is_that_of_scipy():
    before, now = np.array([30, 50, 20]), np.array([60, 40, 40])
    distance, p_value = drift.chi_squared(before, now)
    assert distance == pytest.approx(np.abs(before / 100 - now / 140).sum() / 2)
    assert p_value == pytest.approx(stats.chi2_contingency([before, now], correction=False).pvalue)


def test_rare_labels_are_one_and_a_single_label_does_not_differ():
    many = np.ones(50, dtype=int)
    assert drift.chi_squared(many, many) == (0, 1)
    assert drift.chi_squared(np.array([10, 0]), np.array([700, 0])) == (0, 1)
    rare = drift.chi_squared(np.array([500, 500, 1, 0, 0]), np.array([500, 500, 0, 1, 0]))
    assert rare[1] == pytest.approx(1)


def test_a_difference_that_chance_makes_or_that_does_not_matter_is_no_drift():
    def measure(distance, p_value):
        return drift.Measure(drift.UNKNOWN, 0.1, 0.2, distance, p_value)

    assert measure(0.1, 0.0024).is_drift
    assert not measure(0.1, 0.0026).is_drift
    assert not measure(0.099, 0.0).is_drift


def test_where_nothing_has_changed_drift_is_rarely_found():
    """Of 1,000 samples of 200 of the same values, at most 1 in 400 of each measure, by more than chance."""
    draw = np.random.default_rng(0)
    before = np.bincount(draw.integers(0, 50, 1_000), minlength=50)
    found = [
        drift.Measure(name, None, None, *test(before, np.bincount(draw.integers(0, 50, 200), minlength=50))).is_drift
        for name, test in ((drift.LENGTH, drift.kolmogorov_smirnov), (drift.LABELS, drift.chi_squared))
        for _ in range(1_000)
    ]
    assert sum(found) <= 12


def test_the_same_texts_have_not_drifted(run_dir):
    model = load_model(run_dir)
    held_out = drift.held_out(run_dir, model)
    texts = [held_out.text(place) for place in range(len(held_out.rows))] * 20
    found = drift.drift(model, held_out, rows_of_texts(texts))
    assert found.split == "test"
    assert found.found == ()
    assert not found
    (sentence,) = found.sentences()
    assert sentence.startswith("no drift: the new texts are like the test documents")


@only_mlp
def test_other_words_are_drift(run_dir):
    found = compared(run_dir, OTHER)
    assert drift.UNKNOWN in found.found
    unknown = found.measures[0]
    assert (unknown.name, unknown.now, unknown.distance) == (drift.UNKNOWN, 1.0, 1.0)
    assert "unknown words: 100.0\N{NO-BREAK SPACE}% in the new texts" in next(found.sentences())
    assert found.labels[0].now in (0, 1)


@only_mlp
def test_longer_texts_and_other_labels_are_drift(run_dir):
    texts = next(iter(TEXTS.values()))
    found = compared(run_dir, [" ".join(texts * 9)] * 400)
    by_name = {measure.name: measure for measure in found.measures}
    assert by_name[drift.LENGTH].is_drift
    assert by_name[drift.LENGTH].now == len(" ".join(texts * 9).replace(",", " , ").split())
    assert sum(share.now for share in found.labels) == pytest.approx(1)
    assert {share.label for share in found.labels} == {*load_model(run_dir).labels}


@only_mlp_of_several
def test_several_labels_count_each_and_the_texts_without_one(several_run):
    found = compared(several_run, SAME + OTHER)
    assert {share.label for share in found.labels} >= {*load_model(several_run).labels}
    assert sum(share.now for share in found.labels) == pytest.approx(1)
    assert all(0 <= measure.distance <= 1 and 0 <= measure.p_value <= 1 for measure in found.measures)


def test_a_run_without_a_test_split_is_compared_with_validation(wordless_run):
    model = load_model(wordless_run)
    held_out = drift.held_out(wordless_run, model)
    has_test = len(held_out.data.rows("test")) > 0
    assert held_out.split == ("test" if has_test else "validation")


@only_mlp
def test_rows_without_a_text_are_left_out_and_no_text_is_an_error(run_dir):
    found = compared(run_dir, [*SAME, "", " "])
    assert (found.rows, found.left_out, found.first_error) == (len(SAME) + 2, 2, f"text {len(SAME)} is empty")
    with pytest.raises(DataError, match="no text to compare: text 0 is empty"):
        compared(run_dir, [""])


@only_mlp
def test_memory_does_not_grow_with_the_texts(run_dir):
    model = load_model(run_dir)
    held_out = drift.held_out(run_dir, model)
    peaks = []
    for count in (2_000, 20_000):
        tracemalloc.start()
        drift.drift(model, held_out, rows_of_texts(f"the cat sat {number % 500}" for number in range(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5


@only_mlp
def test_a_notebook_compares_texts_in_memory(run_dir):
    found = textclf.drift(OTHER, run=run_dir)
    assert drift.UNKNOWN in found.found
    with pytest.raises(textclf.TextclfError, match="not a string"):
        textclf.drift([1], run=run_dir)


@pytest.fixture
def new_csv(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("new.csv").write_text("\n".join(["body", *OTHER]))
    return "new.csv"


@only_mlp
def test_the_command_shows_a_table_and_ends_with_3_if_asked(run_dir, new_csv):
    runner = CliRunner()
    done = invoke(runner, "check", "--against", run_dir, "--input", new_csv, "--text-column", "body")
    assert done.exit_code == 0
    assert "60 new texts beside the test split" in done.stdout
    assert "unknown words" in done.stdout
    strict = invoke(
        runner, "check", "--against", run_dir, "--input", new_csv, "--text-column", "body", "--strict", "--format=json"
    )
    assert strict.exit_code == 3
    assert strict.stderr.startswith("textclf: the new texts have drifted from the test documents: unknown words")
    values = json.loads(strict.stdout)
    assert values["drift"][0] == "unknown words"
    assert values["rows"] == 60
    assert values["documents"] == len(DataDirectory.open(Path(held_out_root(run_dir))).rows("test"))


def held_out_root(run):
    return json.loads((run / "config.json").read_text())["data"]["path"]


@only_mlp
def test_wrong_calls_are_named_in_one_line(run_dir, new_csv):
    for arguments, line in (
        ((), "nothing to check: name a data directory, a run or a model, or --against RUN --input FILE"),
        (("--input", new_csv), "--input names new texts: add --against RUN, to compare them with its test documents"),
        (("--against", run_dir), f"--against {run_dir} needs the new texts: add --input FILE"),
        ((run_dir, "--against", run_dir, "--input", new_csv), f"--against compares new texts: leave out {run_dir}"),
        (
            ("--against", run_dir, "--input", new_csv, "--list", "x.csv"),
            "--against compares new texts: leave out --list",
        ),
        (("--delimiter", ";"), "--delimiter says how files are read: add --input FILE"),
    ):
        done = invoke(CliRunner(), "check", *arguments)
        assert (done.exit_code, done.stdout, done.stderr) == (2, "", f"textclf: {line}\n")
