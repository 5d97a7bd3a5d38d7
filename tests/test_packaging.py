"""What an index shows of the package, and what it brings."""

import configparser
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml

import textclf

PROJECT = Path(textclf.__file__).parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(PROJECT / "setup.cfg")
REPOSITORY = "https://github.com/textclf/textclf"
RELATIVE = re.compile(r"\]\(([\w.][^):#]*)(?:#[\w-]+)?\)")


def lines(section, option):
    return [line for line in SETUP[section][option].splitlines() if line and not line.startswith("#")]


def read_yaml(name):
    return yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))


def test_plain_pip_brings_the_six_packages_and_serving_and_workbooks_are_extras():
    names = {re.split(r"[>=<]", line)[0] for line in lines("options", "install_requires")}
    assert names >= {"torch", "numpy", "datasets", "scikit-learn", "tensorboard", "click"}
    extras = SETUP["options.extras_require"]
    assert set(extras) == {"serve", "xlsx", "cloud", "onnx", "ray", "tune", "dev", "docs"}
    optional = {
        re.split(r"[>=<;]", line)[0] for name in set(extras) - {"dev", "docs"} for line in lines(extras.name, name)
    }
    assert optional & names == set()


def test_the_metadata_is_complete():
    metadata = SETUP["metadata"]
    assert metadata["url"] == REPOSITORY
    links = dict(line.split(" = ") for line in lines("metadata", "project_urls"))
    assert {"Documentation", "Changelog", "Issues", "Security"} <= set(links)
    for link in links.values():
        assert link.startswith(REPOSITORY)
        if "/blob/main/" in link:
            assert (PROJECT / link.partition("/blob/main/")[2]).is_file()
    assert len(metadata["description"]) <= 120
    assert metadata["author"]
    assert len(metadata["keywords"].split(",")) >= 5
    classifiers = lines("metadata", "classifiers")
    oldest = SETUP["options"]["python_requires"].removeprefix(">=")
    assert f"Programming Language :: Python :: {oldest}" in classifiers
    assert "Operating System :: POSIX :: Linux" in classifiers


def test_a_citation_has_this_version():
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert (citation["version"], citation["license"]) == (textclf.__version__, SETUP["metadata"]["license"])
    assert citation["repository-code"] == REPOSITORY


def test_each_issue_form_asks_for_something():
    forms = {path.name: read_yaml(path.relative_to(PROJECT)) for path in (PROJECT / ".github/ISSUE_TEMPLATE").iterdir()}
    assert forms.pop("config.yml")["contact_links"]
    assert set(forms) == {"bug_report.yml", "feature_request.yml"}
    for form in forms.values():
        assert form["name"]
        assert form["description"]
        asked = [field for field in form["body"] if field["type"] != "markdown"]
        assert len({field["id"] for field in asked}) == len(asked) >= 3
        assert all(field["attributes"]["label"] for field in asked)
        assert any(field.get("validations", {}).get("required") for field in asked)


def test_a_release_is_built_by_the_script_and_published_without_a_password():
    workflow = read_yaml(".github/workflows/release.yml")
    assert workflow[True] == {"release": {"types": ["published"]}}  # YAML takes the key "on" for a truth value
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    (script,) = [step["run"] for step in build["steps"] if "scripts/" in step.get("run", "")]
    assert (PROJECT / script.split()[0]).stat().st_mode & 0o111
    assert (publish["needs"], publish["environment"]["name"]) == ("build", "pypi")
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["steps"][-1]["uses"].startswith("pypa/gh-action-pypi-publish@")
    assert "secrets." not in (PROJECT / ".github/workflows/release.yml").read_text()


def test_the_release_workflow_finds_the_version():
    workflow = read_yaml(".github/workflows/release.yml")
    (compare,) = [step["run"] for step in workflow["jobs"]["build"]["steps"] if "TAG" in step.get("run", "")]
    for tag, code in ((f"v{textclf.__version__}", 0), ("v0.0.9", 1)):
        assert subprocess.run(["bash", "-c", compare], cwd=PROJECT, env={"TAG": tag}, check=False).returncode == code


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_file_that_is_linked_exists(name):
    links = RELATIVE.findall((PROJECT / name).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []


@pytest.mark.long  # installs torch
def test_the_wheel_works_in_clean_environments(tmp_path):
    script = [PROJECT / "scripts" / "build", tmp_path / "dist"]
    done = subprocess.run(script, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^The light environment takes \d+ MB without numpy\.$", done.stderr, re.MULTILINE)
    wheel, source = (tmp_path / "dist" / name for name in sorted(done.stdout.split()))
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"textclf-{textclf.__version__}.dist-info/METADATA")
        data = {"py.typed", "evaluation/report.html", "evaluation/report.css", "system/style.css"}
        assert {f"textclf/{name}" for name in data} <= set(archive.namelist())
        assert {name.split("/")[0] for name in archive.namelist() if "dist-info" not in name} == {"textclf"}
    shown = message_from_bytes(metadata)
    assert RELATIVE.findall(str(shown.get_payload())) == []
    assert shown["Requires-Python"] == SETUP["options"]["python_requires"]
    with tarfile.open(source) as archive:
        assert f"textclf-{textclf.__version__}/setup.cfg" in archive.getnames()


def _environment():
    import os

    return {**os.environ, "PYTHON": sys.executable}
