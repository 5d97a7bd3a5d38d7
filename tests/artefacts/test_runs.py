import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from textclf.artefacts import runs
from textclf.artefacts.runs import RunLayout
from textclf.errors import ArtefactError, UsageError


def make(folder=Path("runs"), **given):
    return runs.create(folder, **{"corpus": "news", "tier": "mid", "model": "lstm"} | given)


def finish(run):
    """Give the run a model."""
    run.model.mkdir()
    run.config.write_text("{}")
    for name in ("config.json", "labels.json"):
        (run.model / name).write_text("{}")
    return run


def test_a_run_is_named_after_what_it_trains_and_when():
    before = datetime.now(UTC).replace(microsecond=0)
    run = make()
    stem, time = run.root.name.rsplit("-", 1)
    assert run.root.parent == Path("runs")
    assert stem == "news-mid-lstm"
    made = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert before <= made <= datetime.now(UTC)


def test_a_new_run_has_room_for_checkpoints_and_nothing_else():
    assert [path.name for path in make().root.rglob("*")] == ["checkpoints"]


def test_runs_of_one_second_get_directories_of_their_own(monkeypatch):
    class Stopped(datetime):
        @classmethod
        def now(cls, zone):
            return datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)

    monkeypatch.setattr(runs, "datetime", Stopped)
    names = [make().root.name for _ in range(3)]
    assert names == [f"news-mid-lstm-20260102T030405Z{count}" for count in ("", "-2", "-3")]
    assert make(tier="full").root.name == "news-full-lstm-20260102T030405Z"


def test_every_file_has_one_place_inside_the_run():
    layout = RunLayout(Path("r"))
    names = [layout.config, layout.history, layout.metrics, layout.last, layout.best, layout.model]
    assert list(map(str, names)) == [
        "r/config.json",
        "r/history.jsonl",
        "r/metrics.json",
        "r/checkpoints/last.pt",
        "r/checkpoints/best.pt",
        "r/model",
    ]


def test_latest_names_the_run_that_was_set_last():
    first, second = make(), make()
    runs.set_latest(first)
    runs.set_latest(second)
    assert Path("runs/latest").read_text() == f"{second.root.name}\n"
    assert runs.resolve(Path("runs/latest")) == second
    runs.set_latest(first)
    assert runs.resolve(Path("runs/latest")) == first


def test_latest_moves_with_its_folder():
    run = finish(make())
    runs.set_latest(run)
    Path("runs").rename("moved")
    assert runs.resolve(Path("moved/latest")) == RunLayout(Path("moved") / run.root.name)


def test_a_run_may_be_called_latest():
    Path("runs/latest").mkdir(parents=True)
    assert runs.resolve(Path("runs/latest")) == RunLayout(Path("runs/latest"))


def test_a_run_is_found_by_itself_and_by_its_model():
    run = finish(make())
    assert runs.resolve(run.root) == run
    assert runs.resolve(run.model) == run
    assert runs.model_dir(run.root) == run.model
    assert runs.model_dir(run.model) == run.model


def test_a_run_is_found_from_inside(monkeypatch):
    run = finish(make())
    runs.set_latest(run)
    monkeypatch.chdir(run.root)
    for path in (Path(), Path("model"), Path("..") / run.root.name):
        found = runs.resolve(path)
        assert found.root.name == run.root.name  # not "."
        assert found.root.samefile(".")
        assert runs.model_dir(path).samefile("model")
    monkeypatch.chdir("model")
    assert runs.model_dir(Path()).samefile(".")


def test_a_run_may_be_called_model():
    Path("model").mkdir()
    run = finish(RunLayout(Path("model")))
    assert runs.resolve(Path("model")) == run
    assert runs.model_dir(Path("model")) == run.model


def test_a_model_is_called_as_its_run_or_as_it_was_copied(tmp_path):
    for folder in ("news-full/model", "tickets.v2", "tickets.pyz"):
        (tmp_path / folder).mkdir(parents=True) if "pyz" not in folder else (tmp_path / folder).touch()
    assert runs.model_name(tmp_path / "news-full" / "model") == "news-full"
    assert runs.model_name(tmp_path / "tickets.v2") == "tickets.v2"
    assert runs.model_name(tmp_path / "tickets.pyz") == "tickets"
    assert runs.model_name(Path("/model")) == "model"  # as in a container


def test_an_artefact_may_lie_anywhere_under_any_name():
    run = finish(make())
    run.model.rename("production")
    assert runs.model_dir(Path("production")) == Path("production")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("runs/latest", "no finished run in runs; train one: textclf train"),
        ("latest", "no finished run in runs; train one: textclf train"),
        ("runs/gone", "no run runs/gone; train one: textclf train"),
        ("gone", "no run gone; train one: textclf train"),
        ("no/such/folder", "no run no/such/folder; train one: textclf train"),
    ],
)
def test_a_run_that_is_not_there_is_the_user_s_mistake(path, message):
    for find in (runs.resolve, runs.model_dir):
        with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
            find(Path(path))


@pytest.mark.parametrize("name", ["gone", "news"])
def test_latest_that_names_no_run_is_no_run(name):
    finish(make())
    Path("runs/latest").write_text(f"{name}\n")
    with pytest.raises(UsageError, match=f"no run runs/{name}, which runs/latest names; list the runs: textclf runs"):
        runs.resolve(Path("runs/latest"))


def test_a_run_is_found_by_its_name_and_by_a_unique_beginning():
    run = finish(make())
    finish(make(corpus="mail"))
    runs.set_latest(run)
    for given in (run.root.name, "news", "runs/news", "latest"):
        assert runs.resolve(Path(given)) == run
        assert runs.model_dir(Path(given)) == run.model


def test_a_beginning_of_two_names_lists_them_the_newest_first():
    names = ("news-mid-mlp-20260102T030405Z", "news-full-mlp-20270102T030405Z", "news-old", "mail")
    for name in names:
        (Path("runs") / name / "checkpoints").mkdir(parents=True)
    os.utime("runs/news-old", (0, 0))
    listed = f"{names[1]}, {names[0]}, news-old"
    with pytest.raises(UsageError, match=f"^the names of 3 runs begin with news: {listed}$"):
        runs.resolve(Path("news"))


def test_a_run_was_started_when_its_name_says_or_its_settings_were_written():
    run = RunLayout(Path("runs/small"))
    run.root.mkdir(parents=True)
    os.utime(run.root, (5, 5))
    assert runs.started(run.root) == 5
    run.config.touch()
    os.utime(run.config, (7, 7))
    assert runs.started(run.root) == 7
    assert runs.started(Path("news-mid-mlp-19700101T000102Z")) == 62
    assert runs.started(Path("news-mid-mlp-19700101T000102Z-2")) == 62
    assert runs.started(Path("news-mid-mlp-19709901T000102Z")) == 0


def test_a_file_is_no_run():
    Path("file").write_text("")
    with pytest.raises(UsageError, match="no run file"):
        runs.resolve(Path("file"))


def test_read_json_reads_an_object():
    Path("x.json").write_text('{"a": ["ü"]}', encoding="utf-8")
    assert runs.read_json(Path("x.json")) == {"a": ["ü"]}


def test_a_json_file_that_is_not_there_yet_says_how_to_finish_the_run():
    run = make()
    with pytest.raises(UsageError) as caught:
        runs.read_json(run.metrics)
    assert str(caught.value) == f"{run.root} has no metrics.json; finish it: textclf train --resume {run.root}"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"7", b"null", b'"text"', b"[]", b"[1]", b'[["a", 1]]', b"[" * 10**5]
)
def test_a_damaged_json_file_is_named(content):
    Path("x.json").write_bytes(content)
    with pytest.raises(ArtefactError, match=r"^x\.json is damaged \("):
        runs.read_json(Path("x.json"))
