"""The two functions of this room, and what they leave unloaded."""

import subprocess
import sys

from textclf import sources


def test_exports_are_all_and_in_order():
    assert sorted(sources.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name)) == sources.__all__
    assert all(hasattr(sources, name) for name in sources.__all__)


def test_importing_the_room_loads_no_reader():
    code = "import sys, textclf.sources; print(*sorted(name for name in sys.modules if name.startswith('textclf.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    ours = [name for name in done.stdout.split() if not name.startswith("textclf.system")]  # which guards imports
    assert ours == ["textclf.errors", "textclf.sources", "textclf.sources.document"]
