"""What the service answers."""

import json

import pytest

from tests.serve.conftest import serving
from textclf.inference.classifier import load_model
from textclf.inference.explain import explain

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

pytestmark = pytest.mark.slow


@pytest.fixture
def classifier(mlp_run):
    return load_model(mlp_run)


def test_a_text_gets_the_answer_of_predict(server, classifier):
    answered = server.predict({"text": "rain and wind", "top_k": 3})
    (found,) = answered.json["predictions"]
    (expected,) = classifier.predict("rain and wind", top_k=3)
    assert answered.status == 200
    assert found["label"] == expected.label
    assert found["probability"] == pytest.approx(expected.probability, abs=1e-5)
    assert [score["label"] for score in found["top"]] == [score.label for score in expected.top]
    assert (found["unknown"], found["rejected"]) == (0, False)
    assert "tokens" not in found


def test_texts_are_answered_in_their_order(server, classifier):
    texts = [f"{'qqq ' * (i % 97)}{'the cat' if i % 3 else 'bread and butter'}" for i in range(256)]
    found = server.predict({"texts": texts}).json["predictions"]
    assert [answer["label"] for answer in found] == [answer.label for answer in classifier.predict(texts)]
    assert [answer["unknown"] for answer in found] == pytest.approx(
        [i % 97 / (i % 97 + (2 if i % 3 else 3)) for i in range(256)]
    )


def test_the_share_of_unknown_words_is_said(server):
    texts = ["qqq", "the qqq", "the cat", "catty the"]
    found = server.predict({"texts": texts}).json["predictions"]
    assert [answer["unknown"] for answer in found] == [1, 0.5, 0, 0.5]


def test_an_answer_is_rejected_below_a_probability(server):
    texts = ["?", "rain and wind"]
    low, high = (answer["probability"] for answer in server.predict({"texts": texts}).json["predictions"])
    unsure, sure = server.predict({"texts": texts, "reject_below": (low + high) / 2}).json["predictions"]
    assert (sure["label"], sure["rejected"]) == ("weather", False)
    assert (unsure["label"], unsure["rejected"]) == (None, True)
    assert unsure["top"][0]["label"] in {"animals", "food", "weather"}


@pytest.mark.parametrize("run", [0, 1])
def test_an_explanation_is_that_of_explain(run, server, mlp_run, lstm_run):
    name = [mlp_run, lstm_run][run].name
    text = "The CAT, with <b>butter</b> \u00e9 \U0001f600 qqq"
    (found,) = server.predict({"text": text, "explain": True, "run": name}).json["predictions"]
    expected = explain(load_model([mlp_run, lstm_run][run]).trained, text, found["label"])
    assert found["margin"] == pytest.approx(expected.margin)
    assert sum(token["contribution"] for token in found["tokens"]) + found["rest"] == pytest.approx(found["margin"])
    assert [(token["start"], token["end"]) for token in found["tokens"]] == [token[:2] for token in expected.tokens]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ("", 400, "JSON"),
        ("{", 400, "JSON"),
        (b"\xff\xfe", 400, "JSON"),
        ("[" * 200_000, 400, "JSON"),
        ('{"text": "\\ud800"}', 400, "JSON"),
        ([], 422, "object"),
        ("NaN", 422, "object"),
        ({}, 422, 'give either "text" or "texts"'),
        ({"text": "a", "texts": ["a"]}, 422, 'give either "text" or "texts"'),
        ({"text": 1}, 422, "text: "),
        ({"texts": []}, 422, "texts: "),
        ({"texts": "abc"}, 422, "texts: "),
        ({"texts": ["a", None]}, 422, "texts.1: "),
        ({"texts": ["a"] * 257}, 422, "at most 256"),
        ({"text": "a", "top_k": 0}, 422, "top_k: "),
        ({"text": "a", "top_k": 1001}, 422, "top_k: "),
        ({"text": "a", "top_k": "2"}, 422, "top_k: "),
        ({"text": "a", "top_k": 10**30}, 422, "top_k: "),
        ('{"text": "a", "top_k": ' + "9" * 5000 + "}", 400, "JSON"),
        ({"text": "a", "reject_below": 1.5}, 422, "reject_below: "),
        ('{"text": "a", "reject_below": NaN}', 422, "reject_below: "),
        ({"text": "a", "target_precision": "0.9"}, 422, "target_precision: "),
        ({"text": "a", "target_precision": 1}, 422, "target_precision: a precision of 1 was not shown"),
        ({"text": "a", "explain": 1}, 422, "explain: "),
        ({"text": "a", "run": "/etc/passwd"}, 422, "run: there are "),
        ({"text": "a", "path": "/etc/passwd"}, 422, "path: "),
        ({"texts": ["a"] * 17, "explain": True}, 422, "explain: at most 16"),
        ({"text": "a " * 10_001, "explain": True}, 422, "explain: a text is longer"),
    ],
)
def test_a_bad_request_gets_the_reason(body, status, part, server):
    answered = server.predict(body)
    assert (answered.status, list(answered.json)) == (status, ["error"])
    assert part in answered.json["error"]
    assert server.predict({"text": "rain"}).status == 200


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=alert(1)>", "</script><script>", "a\u2028\u2029", "\x00\x1b[2J", "\U0001f600" * 50, '"\\'],
)
def test_hostile_texts_are_texts(text, server):
    answered = server.predict({"text": text, "explain": True})
    (found,) = answered.json["predictions"]
    assert answered.headers["content-type"] == "application/json"
    assert answered.body.isascii()
    assert all(0 <= token["start"] < token["end"] <= len(text) for token in found["tokens"])


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "//x",
        "//etc/passwd",
        "/static/page.js",
        "/page.js/",
        "/page.js%00",
        "/predict/",
        "/redoc",
        "/%ff",
        "/*",
    ],
)
def test_there_is_no_other_path(path, server):
    answered = server.ask("GET", path)
    assert (answered.status, answered.json) == (404, {"error": "there is nothing here"})


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/predict"), ("DELETE", "/"), ("PUT", "/predict"), ("POST", "/model")]
)
def test_a_path_by_another_method_is_refused(method, path, server):
    answered = server.ask(method, path)
    assert (answered.status, answered.json) == (405, {"error": "not by this method"})


def test_the_model_is_described(server, mlp_run, lstm_run):
    first, second = server.ask("GET", "/model").json["runs"]
    assert [first["name"], second["name"]] == [mlp_run.name, lstm_run.name]
    assert [first["model"], second["model"]] == ["mlp", "lstm"]
    assert first["labels"] == ["animals", "food", "weather"]
    assert first["card"] == (mlp_run / "model" / "README.md").read_text(encoding="utf-8")
    assert first["trained"]["test"] == json.loads((mlp_run / "metrics.json").read_text(encoding="utf-8"))["test"]


def test_openapi_describes_requests_and_answers(server):
    described = server.ask("GET", "/openapi.json").json
    shared = {"reject_below", "target_precision", "run"}
    assert set(described["paths"]) == {"/predict", "/file", "/health", "/model", "/metrics"}
    parameters = described["paths"]["/file"]["post"]["parameters"]
    assert {each["name"] for each in parameters} == {"name", "column", "preview"} | shared
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"text", "texts", "top_k", "explain"} | shared
    assert all(each.get("description") for each in body["properties"].values())
    piece = described["paths"]["/file"]["post"]["responses"]["200"]["content"]["application/x-ndjson"]["schema"]
    assert set(piece["properties"]) == {"columns", "text", "first", "rows", "csv", "summary", "error"}
    assert "$ref" not in json.dumps(piece)
    for path in ("/predict", "/file"):
        assert {"200", "413", "415", "421", "422", "503"} <= set(described["paths"][path]["post"]["responses"])
    answer = set(described["components"]["schemas"]["Answer"]["properties"])
    found = server.predict({"texts": ["rain", ""], "explain": True}).json["predictions"]
    assert answer - {"labels", "probabilities"} == {name for record in found for name in record}  # of several labels


FILE = {"Content_Type": "application/octet-stream"}


def test_a_file_is_labelled_by_the_run_that_is_named(server, mlp_run, lstm_run):
    for run in (mlp_run, lstm_run):
        address = f"/file?name=x.txt&reject_below=0.1&run={run.name}"
        answered = server.ask("POST", address, "rain and wind\n\nbread", **FILE)
        assert (answered.status, answered.headers["content-type"]) == (200, "application/x-ndjson")
        pieces = [json.loads(line) for line in answered.body.splitlines()]
        assert pieces[0] == {"columns": [], "text": []}
        expected = [each.label for each in load_model(run).predict(["rain and wind", "bread"])]
        assert [line.split(",")[1] for line in pieces[1]["csv"].splitlines()[1:]] == [expected[0], "", expected[1]]
        assert pieces[-1]["rows"] == 3


@pytest.mark.parametrize(
    ("address", "headers", "status", "part"),
    [
        ("", FILE, 422, "name: "),
        ("?name=x.csv&colour=1", FILE, 422, "colour: "),
        ("?name=x.csv&column=-1", FILE, 422, "column: "),
        ("?name=x.csv&column=one", FILE, 422, "column: "),
        ("?name=x.csv&run=/etc/passwd", FILE, 422, "run: there are "),
        ("?name=x.csv&target_precision=2", FILE, 422, "target_precision: "),
        ("?name=x.csv&target_precision=1", FILE, 422, "target_precision: a precision of 1 was not shown"),
        ("?name=x.csv&reject_below=nan", FILE, 422, "reject_below: "),
        ("?name=x.csv&preview=perhaps", FILE, 422, "preview: "),
        ("?name=/etc/passwd.xlsx", FILE, 415, "files like .csv"),
        ("?name=x.csv", {"Content_Type": "text/csv"}, 415, "application/octet-stream"),
        ("?name=x.csv", {"Content_Type": "multipart/form-data; boundary=x"}, 415, "application/octet-stream"),
        ("?name=x.csv", {**FILE, "Content_Encoding": "gzip"}, 415, "Content-Encoding"),
        ("?name=x.csv", {**FILE, "Host": "evil.test"}, 421, "Host"),
    ],
)
def test_a_file_that_cannot_be_labelled_gets_the_reason(address, headers, status, part, server):
    answered = server.ask("POST", f"/file{address}", "text\nrain\n", **headers)
    assert (answered.status, list(answered.json)) == (status, ["error"])
    assert part in answered.json["error"]


def test_requests_are_counted(server):
    def counted() -> dict[str, float]:
        lines = server.ask("GET", "/metrics").body.decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    before = counted()
    server.predict({"texts": ["rain", "wind"]})
    server.predict({})
    after = counted()
    changes = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changes['textclf_requests_total{status="200"}'] == 2  # with that for the counts themselves
    assert changes['textclf_requests_total{status="422"}'] == 1
    assert changes["textclf_texts_total"] == changes["textclf_batched_texts_total"] == 2
    assert changes["textclf_batches_total"] == 1
    assert changes["textclf_request_seconds_count"] == changes['textclf_request_seconds_bucket{le="+Inf"}'] == 3


def test_answers_are_counted_by_all_workers_together(mlp_run):
    with serving("--run", str(mlp_run), "--num-workers", "2") as running:
        for _ in range(20):  # each on a connection of its own, which any worker may take
            running.predict({"text": "rain and wind"})
        running.ask("POST", "/file?name=x.txt", "rain and wind\n\nthe cat", **FILE)
        lines = running.ask("GET", "/metrics").body.decode().splitlines()
    assert f'textclf_answers_total{{run="{mlp_run.name}",label="weather"}} 21' in lines
    assert f'textclf_answers_total{{run="{mlp_run.name}",label="animals"}} 1' in lines
    assert f'textclf_unanswered_total{{run="{mlp_run.name}"}} 1' in lines
    assert f'textclf_confidence_count{{run="{mlp_run.name}"}} 22' in lines


def test_the_learned_thresholds_and_the_card_are_in_the_description(server, mlp_run):
    first, _ = server.ask("GET", "/model").json["runs"]
    learned = json.loads((mlp_run / "model" / "config.json").read_text(encoding="utf-8"))["abstention"]
    assert [each["threshold"] for each in first["precisions"]] == list(learned["thresholds"].values())
    assert [section["title"] for section in first["about"]][:2] == ["Task", "Quality"]
    assert "animals, food, weather" in first["about"][0]["texts"][0]


def test_two_runs_of_one_name_get_different_names(mlp_run):
    with serving("--run", str(mlp_run), "--run", str(mlp_run / "model")) as running:
        names = [each["name"] for each in running.ask("GET", "/model").json["runs"]]
    assert names == [mlp_run.name, f"{mlp_run.name} (2)"]
