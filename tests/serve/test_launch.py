"""Where a service listens is said before it starts, and an address that cannot be had is one line."""

import pytest

from textclf.errors import UsageError
from textclf.serve import launch, server
from textclf.serve.launch import Where

pytestmark = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_it_says_where_and_warns_of_other_machines(host, classifier, monkeypatch):
    started, said, warned = [], [], []
    monkeypatch.setattr(server, "run", lambda app, listening, workers: started.append((app(0), listening, workers)))
    launch.serve({"m": (classifier, "card")}, Where(host, 0), say=said.append, warn=warned.append)
    ((_, listening, workers),) = started
    assert said == [f"serving m at http://{host}:{listening.getsockname()[1]}/; Ctrl-C stops"]
    assert (len(warned), workers) == (host == "0.0.0.0", 1)
    with pytest.raises(UsageError, match="try another one: --port 0"):
        launch.serve({"m": (classifier, "")}, Where(host, listening.getsockname()[1]), say=print, warn=print)
    listening.close()
