"""The model of one file answers over HTTP where the packages for that are installed."""

import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from textclf.inference.classifier import load_model


@pytest.mark.slow
@pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)
def test_it_serves_the_answers_of_the_model_and_a_page(pyz_file, run_dir):
    command = [sys.executable, str(pyz_file), "--serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            greeting = process.stderr.readline()
            assert greeting.startswith("tickets.pyz: serving tickets at http://127.0.0.1:")
            url = re.findall(r"http://[^;]+/", greeting)[0]
            body = json.dumps({"text": "the cat sat", "top_k": 2}).encode()
            asked = urllib.request.Request(f"{url}predict", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(asked, timeout=30) as response:
                answer = json.load(response)["predictions"][0]
            (expected,) = load_model(run_dir).predict("the cat sat", top_k=2)
            assert answer["top"] == [score._asdict() for score in expected.top]
            with urllib.request.urlopen(url, timeout=30) as page:
                assert b"<html" in page.read()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
