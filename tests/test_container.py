"""The Dockerfile and the compose file: what they name exists, and the steps work, one by one, without Docker."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest
import yaml

import textclf
from textclf.cli import main
from textclf.system import requirements

PROJECT = Path(textclf.__file__).parent.parent
PORT = "8000"


class Step(NamedTuple):
    """An instruction of the Dockerfile."""

    name: str
    rest: str


def steps():
    text = re.sub(r"^#.*\n", "", (PROJECT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def only(name):
    (found,) = [step.rest for step in steps() if step.name == name]
    return found


def started():
    return json.loads(only("ENTRYPOINT"))


def check():
    """The command of the health check."""
    return json.loads(only("HEALTHCHECK").partition(" CMD ")[2])


def test_every_file_that_is_copied_exists_and_is_in_the_context():
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    sources = [name for step in steps() if step.name == "COPY" for name in shlex.split(step.rest)[:-1]]
    assert "textclf" in sources
    for name in sources:
        assert (PROJECT / name).exists()
        assert ignored[0] == "*"
        assert f"!{name}" in ignored


def test_it_installs_what_serving_needs_and_no_torch_at_the_versions_of_the_project():
    run = only("RUN")
    installed = set(re.findall(r"(?:^|(?<= ))[a-z]+(?= |$)", " ".join(re.findall(r"pip install ([^&]*)", run))))
    assert installed == {"numpy", "click", "safetensors", *requirements.SERVING, "uvloop"}
    assert "pip install --no-deps ." in run
    pinned = {line.split("==")[0] for line in (PROJECT / "constraints.txt").read_text().splitlines()}
    assert installed | {"setuptools"} <= pinned


def test_it_serves_with_options_that_exist_on_the_port_that_is_checked():
    program, command, *arguments = started()
    known = {option for parameter in main.commands[command].params for option in parameter.opts}
    assert (program, {word for word in arguments if word.startswith("--")} <= known) == ("textclf", True)
    assert (only("EXPOSE"), arguments[arguments.index("--port") + 1]) == (PORT, PORT)
    assert f":{PORT}/health" in check()[-1]


def test_it_does_not_run_as_root_and_the_user_comes_after_what_is_installed():
    names = [step.name for step in steps()]
    assert not only("USER").startswith(("root", "0"))
    assert names.index("RUN") < names.index("USER") < names.index("ENTRYPOINT")


def test_compose_mounts_the_model_read_only_and_publishes_on_this_machine_alone():
    (service,) = yaml.safe_load((PROJECT / "compose.yaml").read_text())["services"].values()
    assert service["build"] == "."
    model = started()[started().index("--run") + 1]
    assert [volume.split(":")[-2:] for volume in service["volumes"]] == [[model, "ro"]]
    assert service["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


@pytest.mark.long  # installs packages
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_the_steps_end_in_a_server_that_answers(run_dir, tmp_path):
    root, model = tmp_path / "root", shutil.copytree(run_dir / "model", tmp_path / "model")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "python"], check=True)  # in place of FROM
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PATH": f"{tmp_path / 'python' / 'bin'}:{os.environ['PATH']}",
    }
    folder = root
    for name, rest in steps():
        if name == "ENV":
            environment |= dict(pair.split("=") for pair in shlex.split(rest))
        elif name == "WORKDIR":
            folder = root / rest.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            copy(shlex.split(rest), folder)
        elif name == "RUN":
            subprocess.run(["sh", "-e", "-c", rest], cwd=folder, env=environment, check=True)
        else:
            assert name in {"FROM", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"}
    # The user of the container may write nothing but /tmp.
    words = [str(model) if word == "/model" else word for word in started()]
    process = subprocess.Popen([*words, "--port", "0"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stderr if "serving" in line)
        port = re.search(r":(\d+)/", line)[1]
        health = [word.replace(PORT, port) for word in check()]
        subprocess.run(health, cwd=folder, env=environment, check=True)
        body = json.dumps({"text": "rain and wind"}).encode()
        request = Request(f"http://localhost:{port}/predict", body, {"Content-Type": "application/json"})
        with urlopen(request, timeout=30) as answer:
            assert json.load(answer)["predictions"][0]["label"] in {"animals", "food", "weather"}
        assert not list(root.rglob("torch"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0


def copy(names, folder):
    """Copy files, or what is in a folder, as COPY does."""
    *sources, target = names
    for name in sources:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(PROJECT / name, folder / target)
