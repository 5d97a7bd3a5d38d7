import gc
import sys

from textclf.system import late_imports


def test_no_garbage_is_looked_for_while_something_is_loaded(tmp_path, monkeypatch):
    (tmp_path / "made_for_this_test.py").write_text("import gc\nIS_ON = gc.isenabled()\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert not late_imports.load("made_for_this_test").IS_ON
    assert gc.isenabled()
    del sys.modules["made_for_this_test"]


def test_what_is_loaded_loads_no_pandas_and_other_threads_can(tmp_path, monkeypatch):
    assert late_imports.UNWANTED == "pandas"
    monkeypatch.setattr(late_imports, "UNWANTED", "unwanted_by_this_test")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "unwanted_by_this_test.py").write_text("")
    (tmp_path / "made_for_this_test.py").write_text(
        "from threading import Thread\n"
        "try:\n    import unwanted_by_this_test as found\nexcept ImportError:\n    found = None\n"
        "thread = Thread(target=__import__, args=('unwanted_by_this_test',))\nthread.start()\nthread.join()\n"
    )
    finders = list(sys.meta_path)
    assert late_imports.load("made_for_this_test").found is None
    assert sys.meta_path == finders
    there = sys.modules["unwanted_by_this_test"]  # the other thread's
    del sys.modules["made_for_this_test"]
    assert late_imports.load("made_for_this_test").found is there
    for name in ("made_for_this_test", "unwanted_by_this_test"):
        del sys.modules[name]
