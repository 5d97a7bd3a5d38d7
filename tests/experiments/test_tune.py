"""`textclf tune`: the search, the runs at its end, the command line and Python."""

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from click.testing import CliRunner

import textclf
from tests.conftest import invoke
from tests.encoders import tiny
from textclf.artefacts import runs
from textclf.cli import main
from textclf.config import TrainConfig, TuneConfig
from textclf.errors import InterruptedRunError, UsageError
from textclf.evaluation.metrics import measure
from textclf.evaluation.predictions import predict
from textclf.experiments import gain, tune_folder
from textclf.experiments import tune as tuning
from textclf.experiments.gain import Gain
from textclf.experiments.tune import Tuned, resume, tune
from textclf.experiments.tune_folder import TuneFolder
from textclf.training import train


def config(data_dir, **given):
    return TuneConfig(**{"data": str(data_dir), "tier": "full", "device": "cpu", "trials": 3, **given})


@pytest.fixture(scope="module")
def better(data_dir, tmp_path_factory):
    """A search whose best trial is not the first, and is taken."""
    with pytest.MonkeyPatch.context() as patch:
        take_the_second(patch)
        return tune(config(data_dir, metric="loss", seed=3, trials=2, run_dir=tmp_path_factory.mktemp("runs")))


def take_the_second(patch):
    """Have the second trial chosen, whatever its figure is."""
    patch.setattr(gain, "of_choice", always_taken)
    patch.setattr(tuning, "best_of", lambda _goal, trials: trials[1])


def always_taken(trials, chosen, documents):
    values = gain.value(trials[0], documents), gain.value(trials[chosen], documents)
    return Gain(*values, 0.01, (-0.02, 0.04))


def test_the_best_settings_are_an_ordinary_run(better, data_dir):
    assert better.chosen == better.highest == 1
    assert better.defaults != better.run
    assert (better.run.parent / "latest").read_text().strip() == better.run.name
    for path in (better.run, better.defaults):
        assert runs.complete(runs.RunLayout(path))
        assert textclf.load_model(path).predict(["rain and wind"])
    settings = json.loads((better.run / "config.json").read_text())["settings"]
    tried = better.trials[better.chosen].settings
    assert {name: settings[name] for name in tried} == tried
    found = predict(better.run, split="test")
    loss = measure(found.labels, found.outcome.how.logits(found.raw)).loss
    assert better.test_figure == pytest.approx(loss, rel=1e-5)
    assert better.test.after == pytest.approx(loss, rel=1e-5)
    assert better.test.gain == pytest.approx(better.test.before - better.test.after)


def test_the_command_line_that_is_shown_trains_the_same_model(better, runner, monkeypatch):
    words = shlex.split(better.command)
    assert words[:2] == ["textclf", "train"]
    again = Path(invoke(runner, *words[1:], "-q").stdout.strip())
    assert again != better.run
    assert (again / "model/model.safetensors").read_bytes() == (better.run / "model/model.safetensors").read_bytes()


def test_the_defaults_are_those_of_train(better, data_dir, tmp_path):
    usual = train(TrainConfig.create(data=str(data_dir), tier="full", device="cpu", seed=3, run_dir=tmp_path)).root
    assert (usual / "model/model.safetensors").read_bytes() == (
        better.defaults / "model/model.safetensors"
    ).read_bytes()


def test_a_finished_search_that_is_resumed_trains_nothing_again(better):
    before = sorted(path.name for path in better.folder.parent.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        take_the_second(patch)
        assert resume(better.folder) == better
    assert sorted(path.name for path in better.folder.parent.iterdir()) == before


def test_a_run_that_was_begun_is_trained_to_its_end(better, data_dir, monkeypatch):
    """The search was killed while it trained the run with the best settings."""
    take_the_second(monkeypatch)
    for name in ("metrics.json", "checksums.json"):
        (better.run / name).unlink()
    assert resume(better.folder).run == better.run
    assert runs.complete(runs.RunLayout(better.run))


def test_where_nothing_is_left_of_the_lead_the_defaults_stay(data_dir, monkeypatch):
    take_the_second(monkeypatch)
    monkeypatch.setattr(gain, "of_choice", lambda *found: always_taken(*found)._replace(gain=-0.001))
    found = tune(config(data_dir, metric="loss", seed=3, trials=2))
    assert found.chosen == 0
    assert found.run == found.defaults
    assert found.test is None
    assert "nothing is left of that without the luck of the best: the defaults were kept" in found.verdict
    assert "--lr" not in found.command


def verdict(metric="accuracy", **given):
    trials = [tuning.Trial(number, {}, 0.5, 1, 1.0) for number in range(5)]
    values = {"highest": 2, "chosen": 2, "validation": Gain(0.5, 0.6, 0.08, (0.02, 0.14)), "documents": 300, **given}
    paths = {"folder": Path(), "run": Path(), "defaults": Path(), "exported": None}
    return Tuned(**paths, metric=metric, trials=trials, test=None, test_figure=0.5, command="", **values).verdict


def test_the_verdict_says_when_the_gain_is_noise():
    assert verdict() == (
        "of 5 trials, the best leads by 10.00 points on 300 validation documents, and by 8.00 points without the luck "
        "of the best (95 % interval +2.00 to +14.00): the gain is more than noise"
    )
    noisy = Gain(0.5, 0.6, 0.08, (-0.02, 0.14))
    assert verdict(validation=noisy).endswith("(95 % interval -2.00 to +14.00): the gain is within the noise")
    assert "the defaults were kept" in verdict(chosen=0)
    loss = verdict(metric="loss", validation=Gain(0.6, 0.5, 0.08, (-0.02, 0.14)))
    assert "leads by 0.1000 nats" in loss
    assert "by 0.0800 nats without the luck of the best (95 % interval -0.0200 to +0.1400)" in loss
    assert verdict(highest=0, chosen=0).startswith("no settings were better than the defaults on 300 validation")


def test_every_trial_learns_from_the_encoder_that_is_named(data_dir, tmp_path):
    encoder = str(tiny.write(tmp_path / "published" / "small"))
    found = tune(config(data_dir, trials=2, metric="loss", encoder=encoder))
    same = {"data": str(data_dir), "tier": "full", "device": "cpu", "encoder": encoder}
    usual = train(TrainConfig.create(**same, refit=False, test=False, run_dir=tmp_path)).root
    measured = json.loads((usual / "metrics.json").read_text())
    assert measured["encoder"]["name"] == "small"
    assert found.trials[0].figure == pytest.approx(measured["validation"]["loss"], rel=1e-5)
    assert json.loads((found.run / "metrics.json").read_text())["encoder"]["name"] == "small"
    assert f"--encoder {encoder}" in found.command
    tiny.write(tmp_path / "other" / "small", seed=1).joinpath("model.safetensors").replace(
        Path(encoder) / "model.safetensors"
    )
    with pytest.raises(UsageError, match="have changed since"):
        resume(found.folder)


@pytest.mark.parametrize("folds", [None, 2])
@pytest.mark.parametrize("given", [{"unlabelled": "pool.txt"}, {"model": "lstm", "vectors": "words.vec"}], ids=str)
def test_every_trial_learns_from_words_that_are_known_before(given, folds, data_dir):
    Path("pool.txt").write_text("snow and wind over the hills\nthe goal decided the match\nsnow with wind again\n")
    Path("words.vec").write_text("rain 1 0\nbread 0 1\ncat 1 1\n")
    found = tune(config(data_dir, trials=1, folds=folds, **given))
    (name,) = given.keys() - {"model"}
    assert f"--{name} {given[name]}" in found.command
    metrics = json.loads((found.run / "metrics.json").read_text())
    assert metrics["encoder" if name == "unlabelled" else "vectors"]
    assert resume(found.folder) == found


def test_a_size_is_exported(data_dir):
    found = tune(config(data_dir, trials=1, max_size=60_000))
    assert sum(path.stat().st_size for path in found.exported.rglob("*") if path.is_file()) <= 60_000
    assert textclf.load_model(found.exported).predict(["rain and wind"])


def test_a_model_of_the_user(data_dir, my_model):
    found = tune(config(data_dir, model="my_model.py:MyModel", trials=2, folds=2))
    assert set(found.trials[1].settings) >= {"lr", "embedding_size", "dropout"}
    assert "hidden_size" not in found.trials[1].settings
    assert found.test_figure is not None
    assert resume(found.folder) == found


def test_data_without_a_test_split(corpus_csv):
    data = textclf.preprocess(corpus_csv, test_size=None, progress=False)
    found = tune(config(data, trials=1))
    assert (found.test, found.test_figure) == (None, None)
    assert "--no-test" in found.command


def test_ctrl_c_keeps_the_best_and_says_how_to_go_on(data_dir):
    def stop(batches, title, _total):
        for batch in batches:
            if title == "trial 1":
                signal.raise_signal(signal.SIGINT)
            yield batch

    with pytest.raises(InterruptedRunError) as stopped:
        tune(config(data_dir), progress=stop)
    message = str(stopped.value)
    (folder,) = Path("runs").glob("tune-*")
    assert message.startswith("stopped after 1 trial; the best so far, accuracy ")
    assert f"is trained by textclf train --data {data_dir} --tier full --model mlp" in message
    assert message.endswith(f"; resume it: textclf tune --resume {folder}")
    assert len(resume(folder, trials=2).trials) == 2


@pytest.mark.long
@pytest.mark.parametrize("trial", [0, 1, 3])
def test_a_killed_process_is_resumed_to_the_same_trials(trial, data_dir, tmp_path):
    """Killed by a signal that nothing can catch."""
    straight = tune(config(data_dir, trials=5, metric="loss", run_dir=tmp_path / "straight"))
    command = ["tune", "--data", data_dir, "--tier", "full", "--device", "cpu", "--metric", "loss"]
    process = subprocess.Popen(
        [sys.executable, "-m", "textclf", *map(str, command), "--trials", "5", "--run-dir", "killed"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list(Path("killed").glob(f"tune-*/trials/000{trial}/*")):
        assert process.poll() is None
        sleep(0.01)
    process.kill()
    process.wait()
    (folder,) = Path("killed").glob("tune-*")
    resumed = resume(folder)
    assert [each._replace(seconds=0.0) for each in resumed.trials] == [
        each._replace(seconds=0.0) for each in straight.trials
    ]
    assert (resumed.highest, resumed.chosen, resumed.validation) == (
        straight.highest,
        straight.chosen,
        straight.validation,
    )


# The command line


def test_it_prints_trials_gain_and_run(runner, data_dir):
    done = invoke(runner, "tune", "--data", data_dir, "--tier", "full", "--trials", "2", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("2 trials in ")
    assert "the defaults" in done.stdout
    assert "\nto train it again:\ntextclf train " in done.stdout
    run = Path(done.stdout.splitlines()[-1].removeprefix("run: "))
    assert runs.complete(runs.RunLayout(run))
    assert invoke(runner, "compare", run, run).exit_code == 0
    assert done.stderr.startswith("searching in runs/tune-tiny_corpus-full-mlp-")
    assert "training a run with the defaults" in done.stderr


def test_as_json_and_resumed_with_more_trials(runner, data_dir):
    given = ["--data", data_dir, "--tier", "full", "--device", "cpu", "--format", "json", "-q"]
    first = json.loads(invoke(runner, "tune", *given, "--trials", "1").stdout)
    assert (first["metric"], len(first["trials"])) == ("accuracy", 1)
    more = invoke(runner, "tune", "--resume", first["folder"], "--trials", "2", "--format", "json")
    second = json.loads(more.stdout)
    assert second["trials"][0] == first["trials"][0]
    assert len(second["trials"]) == 2
    assert {"verdict", "command", "validation", "run", "defaults"} <= set(second)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere"], 2, "no data"),
        (["--time", "soon"], 2, "'soon' is not a time such as 90s, 10m or 1.5h"),
        (["--time", "0s"], 2, "is not a time"),
        (["--trials", "0"], 2, "'0' is not a whole number at least 1"),
        (["--metric", "acuracy"], 2, "did you mean accuracy"),
        (["--metric", "f1:fod"], 2, "f1:fod: the data has no such label; did you mean food"),
        (["--metric", "precision-at-recall:7"], 2, "give a recall above 0"),
        (["--max-size", "big"], 2, "is not a size"),
        (["--folds", "1"], 2, "'1' is not a whole number at least 2"),
        (["--folds", "50"], 3, "too few for 50 folds"),
        (["--model", "lstn"], 2, "did you mean lstm"),
        (["--device", "tpu"], 2, "no device 'tpu'"),
        (["--resume", "nowhere"], 2, "no search nowhere; start one: textclf tune"),
    ],
)
def test_mistakes_are_one_line(runner: CliRunner, data_dir, arguments, code, said):
    given = [] if "--data" in arguments or "--resume" in arguments else ["--data", str(data_dir)]
    done = runner.invoke(main, ["tune", *given, *arguments])
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    assert said in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith("searching in")]) == 1


def test_a_search_that_is_resumed_keeps_its_settings(runner):
    done = runner.invoke(main, ["tune", "--resume", "runs/tune", "--seed", "3", "--tier", "full"])
    assert done.exit_code == 2
    assert "a search that is resumed keeps its settings: leave out --tier, --seed" in done.stderr


def test_without_optuna_it_says_what_to_install(data_dir, monkeypatch):
    monkeypatch.setattr("textclf.system.requirements.is_installed", lambda package: package != "optuna")
    with pytest.raises(UsageError, match=r"tune needs optuna, which is not installed: pip install 'textclf\[tune\]'"):
        tune(config(data_dir))


# Python


def test_it_is_a_function_of_python(data_dir):
    found = textclf.tune(data_dir, tier="full", trials=1, device="cpu", progress=False)
    assert isinstance(found, textclf.Tuned)
    assert textclf.Run(found.run).metrics["test"]["accuracy"] == pytest.approx(found.test_figure)
    assert len(textclf.tune(resume=found.folder, trials=2, progress=False).trials) == 2
    with pytest.raises(textclf.TextclfError, match=r"leave out tier$"):
        textclf.tune(resume=found.folder, tier="full")
    with pytest.raises(textclf.TextclfError, match=r"no setting named 'trial'; did you mean trials\?"):
        textclf.tune(data_dir, trial=3)
    with pytest.raises(textclf.TextclfError, match=r"^metric='f1': .*there are accuracy"):
        textclf.tune(data_dir, metric="f1")


def test_logits_that_are_damaged_are_named(data_dir):
    found = tune(config(data_dir, trials=1))
    TuneFolder(found.folder).logits(0).write_bytes(b"damaged")
    with pytest.raises(textclf.TextclfError, match=r"0000/logits\.npy is damaged"):
        resume(found.folder)
    np.testing.assert_array_equal(tune_folder.read_runs(TuneFolder(found.folder))["defaults"], found.run.name)
