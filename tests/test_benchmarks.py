"""scripts/bench: its statistics, its tables, how it measures processes, and that the pages show what it recorded."""

import re
import sys
from pathlib import Path

import benchmarks
import blocks
import pytest
from click.testing import CliRunner
from speed import comparison, materials, peers, prediction, record, training
from speed.figures import Row, Sample
from speed.processes import Failed, family, proportional_bytes, resident_bytes, run, together

ROW = Row("task: time", "s", Sample("ours", (1.0, 2.0, 4.0), "86.64% accurate"), Sample("peer", (2.0, 2.0, 2.0)))
ALONE = Row("waiting", "share", Sample("load + collate", (0.01, 0.03)))
ONCE = Row("scale", "MB", Sample("many", (3e8,)), Sample("few", (1.5e8,)))
CIRCUMSTANCES = {
    "date": "2026-11-25",
    "machine": {"processor": "a processor", "cores": 2, "system": "Linux"},
    "versions": {"Python": "3.11.7", "fasttext": "0.9.3"},
}


def section(*rows: Row, repeats: int = 3, **changed: object) -> dict[str, object]:
    return {**CIRCUMSTANCES, "repeats": repeats, "rows": [row.to_json() for row in rows], **changed}


def test_a_ratio_is_taken_within_a_turn_and_the_median_of_turns_is_shown() -> None:
    assert ROW.ratios() == [0.5, 1.0, 2.0]
    assert ROW.cells() == ["task: time", "ours: 2.00 s (86.64% accurate)", "peer: 2.00 s", "1.00", "0.50 to 2.00"]


def test_a_row_without_a_peer_shows_the_spread_of_its_values() -> None:
    assert ALONE.cells() == ["waiting", "load + collate: 2.0%", "", "", "1.0% to 3.0%"]


def test_what_was_measured_once_has_a_ratio_but_no_spread() -> None:
    assert ONCE.cells() == ["scale", "many: 300 MB", "few: 150 MB", "2.00", ""]


def test_what_could_not_be_measured_says_so() -> None:
    row = Row("memory", "MB", Sample("ours", ()), Sample("peer", ()))
    assert row.cells() == ["memory", "ours: not measured", "peer: not measured", "", ""]


@pytest.mark.parametrize("row", [ROW, ALONE, ONCE])
def test_rows_come_back_from_json(row: Row, tmp_path: Path) -> None:
    record.write({"some": section(row)}, tmp_path / "speed.json")
    assert Row.from_json(record.read(tmp_path / "speed.json")["some"]["rows"][0]) == row


def test_the_table_and_the_line_under_it() -> None:
    bar = Row("a|b", "s", Sample("ours", (0.1234,)))
    shown = record.markdown(
        {"one": section(ROW), "two": section(ALONE, repeats=1), "three": section(bar, date="later")}
    )
    assert shown == "\n".join(
        [
            "| measure | textclf | against | ratio | spread |",
            "|---|---|---|---|---|",
            "| task: time | ours: 2.00 s (86.64% accurate) | peer: 2.00 s | 1.00 | 0.50 to 2.00 |",
            "| waiting | load + collate: 2.0% |  |  | 1.0% to 3.0% |",
            r"| a\|b | ours: 0.123 s |  |  |  |",
            "",
            "`one` (3 turns), `two` (once): 2026-11-25, a processor, 2 cores, Linux; Python 3.11.7, fasttext 0.9.3.",
            "`three` (3 turns): later, a processor, 2 cores, Linux; Python 3.11.7, fasttext 0.9.3.",
        ]
    )


def test_a_block_is_replaced_and_nothing_else() -> None:
    block = blocks.Block("a page.md", "<!-- a -->", "<!-- b -->")
    text = "before\n<!-- a -->\nold\n<!-- b -->\nafter\n"
    changed = block.replace(text, "new\nlines")
    assert changed == "before\n<!-- a -->\nnew\nlines\n<!-- b -->\nafter\n"
    assert block.find(changed) == "new\nlines"
    with pytest.raises(ValueError, match="unpack"):
        block.replace("no markers", "new")


def test_the_pages_show_what_was_recorded() -> None:
    sections = record.read(record.RECORD)
    assert blocks.read(blocks.SPEED) == record.markdown(sections)
    assert blocks.read(blocks.PEERS) == comparison.markdown(sections)
    assert list(sections) == [name for name in benchmarks.SECTIONS if name in sections]


def test_the_comparison_has_a_row_for_each_peer_and_says_what_was_not_measured() -> None:
    seconds = Row(
        comparison.MEASURES["training, CSV to model"],
        "s",
        Sample("preprocess + train", (3.0, 1.0, 2.0), "90.00% accurate; 2 s"),
        Sample("fastText", (4.0,), "80.00% accurate"),
    )
    rate = Row(
        "20newsgroups test split, after the start", "documents/s", Sample("`textclf predict --input`", (1000.0,))
    )
    shown = comparison.markdown({"one": section(seconds), "two": section(rate)}).splitlines()
    assert shown[2] == "| **textclf** `mlp` | 90.00 % | 2.00 s | not measured | not measured | 1,000 texts/s |"
    assert shown[4] == "| fastText | 80.00 % | 4.00 s | not measured | not measured | not measured |"
    assert len(shown) == 2 + len(comparison.NAMES)


def test_a_section_replaces_its_rows_and_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block in (blocks.SPEED, blocks.PEERS):
        page = tmp_path / block.page
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"{block.begin}\n{block.end}\n", encoding="utf-8")
    monkeypatch.setattr(blocks, "PROJECT", tmp_path)
    monkeypatch.setattr(record, "RECORD", tmp_path / "speed.json")
    for name, row in (("store", ROW), ("mlp", ALONE), ("store", ONCE)):
        benchmarks.keep(name, section(row))
    assert list(record.read(record.RECORD)) == ["mlp", "store"]
    shown = blocks.read(blocks.SPEED)
    assert "waiting" in shown
    assert "scale" in shown
    assert "task: time" not in shown
    assert blocks.read(blocks.PEERS) == comparison.markdown(record.read(record.RECORD))


def test_the_help_describes_every_section() -> None:
    shown = CliRunner().invoke(benchmarks.main, ["--help"], terminal_width=160)
    assert shown.exit_code == 0
    for name in benchmarks.SECTIONS:
        assert re.search(rf"^  {name} +\w", shown.output, re.MULTILINE)


def test_every_peer_is_pinned_to_a_version() -> None:
    lines = [line for line in peers.PINNED.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in lines)
    assert set(peers.NAMED) <= {line.split("==")[0] for line in lines}


def test_every_script_of_a_peer_says_how_to_call_it() -> None:
    for path in (peers.SCRIPTS / "peers").glob("*.py"):
        assert path.name in path.read_text(encoding="utf-8").splitlines()[0]


def test_a_process_is_measured_with_its_children(tmp_path: Path) -> None:
    child = "held = bytearray(60_000_000); import time; time.sleep(0.5)"
    parent = f"import subprocess, sys; print('done'); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    done = run([sys.executable, "-c", parent], tmp_path)
    assert done.output == "done"
    assert 0.5 <= done.seconds < 30
    assert 0 < done.processor < done.seconds * 8
    if sys.platform == "linux":
        assert done.memory > 60_000_000
    assert run([sys.executable, "-c", "pass"], tmp_path, memory=False).memory is None


def test_a_process_that_has_ended_has_no_memory() -> None:
    nobody = 2**22 + 1
    assert (family(nobody), resident_bytes(nobody), proportional_bytes(nobody)) == ([nobody], 0, 0)


def test_a_process_that_fails_is_shown_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"(?s)exit code 3 of .*the reason"):
        run([sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"], tmp_path)


def test_processes_one_after_the_other_add_up(tmp_path: Path) -> None:
    first, second = (run([sys.executable, "-c", f"print({n})"], tmp_path, memory=False) for n in (1, 2))
    both = together([first._replace(memory=5.0), second._replace(memory=3.0)])
    assert (both.seconds, both.memory, both.output) == (first.seconds + second.seconds, 5.0, "2")
    assert together([first, second._replace(memory=3.0)]).memory is None


def test_generated_documents_are_the_same_each_time_and_know_their_label() -> None:
    once, again = (list(materials.invented(20, 12)) for _ in range(2))
    assert once == again
    assert {document.label for document in once} <= set(materials.LABELS)
    for text, label in once:
        assert len(text.split()) == 12
        assert text.startswith(label)


def test_every_peer_gets_the_same_texts(tmp_path: Path) -> None:
    train = [materials.Text("a: b | c", "y"), materials.Text("d e", "x")]
    corpus = materials._corpus(tmp_path, train, [materials.Text("f", "x")])
    assert corpus.train.read_text().splitlines() == ["text,label", "a: b | c,y", "d e,x"]
    assert corpus.fasttext.read_text().splitlines() == ["__label__y a: b | c", "__label__x d e"]
    assert corpus.vw.read_text().splitlines() == ["2 | a  b   c", "1 | d e"]
    assert (corpus.lines.read_text(), corpus.vw_lines.read_text()) == ("f\n", "| f\n")
    assert (corpus.answers, corpus.classes) == (["x"], ["x", "y"])
    assert materials.first_lines(corpus.vw, 1).read_text() == "2 | a  b   c\n"
    assert materials.repeated(corpus.lines, 3).read_text() == "f\n" * 3


def test_folders_are_new_each_time(tmp_path: Path) -> None:
    made = materials.Materials(tmp_path)
    assert made.folder("a") != made.folder("a")


def test_turns_alternate() -> None:
    order = []
    results = materials.in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert results == {"a": [None, None], "b": [None, None]}


def test_waiting_is_read_from_the_profile_of_each_epoch() -> None:
    epochs = [
        {"profile": {"load": 1.0, "collate": 1.0, "forward": 8.0}},
        {"profile": {"load": 0.0, "collate": 1.0, "forward": 9.0}},
    ]
    row = training.waiting_row("`mlp`", epochs)
    assert row.ours.values == (0.2, 0.1)
    assert row.ours.note == "load 5.0%, collate 10.0%, forward 85.0%"
    assert training.waiting_row("`mlp`", [{"number": 1}]) is None


def test_a_rate_leaves_the_start_out() -> None:
    corpus = materials.Corpus(*[Path()] * 6, ["x"] * 100, ["x"])
    assert prediction._rate(corpus, 2, [1.0, 1.5, 9.0], [3.5, 5.5]) == (100.0, 50.0)
