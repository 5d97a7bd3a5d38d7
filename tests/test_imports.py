import sys

from textclf import imports


def test_modules_are_loaded_in_a_thread_that_gives_way(tmp_path, monkeypatch):
    (tmp_path / "made_for_this_test.py").write_text("import sys\nTURN = sys.getswitchinterval()\n")
    monkeypatch.syspath_prepend(tmp_path)
    usual = sys.getswitchinterval()
    thread = imports.meanwhile("made_for_this_test")
    assert thread.daemon
    thread.join()
    assert abs(sys.modules.pop("made_for_this_test").TURN - imports.TURN) < 1e-6
    assert abs(sys.getswitchinterval() - usual) < 1e-6
