"""The file verifies itself before it runs: one that is damaged never answers, and says so unless Python is first."""

import random
import zipfile
from pathlib import Path

import pytest

from textclf.standalone import start

pytestmark = pytest.mark.parametrize("run_dir", ["mlp"], indirect=True)


def parts_of(path):
    """Two sets of places in a file: what Python reads before it runs any code of the file, and all others."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first, directory = archive.infolist()[0], archive.start_dir
    assert first.filename == "__main__.py"
    body = content.index(b'"""`__main__.py`')
    assert body + first.file_size < 1_500
    early = {*range(first.header_offset, body + first.file_size), *range(directory, len(content))}
    return sorted(early), sorted(set(range(0, len(content), 97)) - early)


def flipped(content, place, draw):
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


def test_a_file_is_verified_before_its_program_runs(pyz_file, tmp_path, capsys, monkeypatch):
    from textclf.standalone import program

    monkeypatch.setattr(program, "run", lambda path: 77)
    assert start.main(str(pyz_file)) == 77
    content, draw = pyz_file.read_bytes(), random.Random(0)
    path = tmp_path / "damaged\x1b.pyz"
    _, others = parts_of(pyz_file)
    for place in [*draw.sample(others, 200), *range(len(content) - 40, len(content))]:
        path.write_bytes(flipped(content, place, draw))
        assert start.main(str(path)) == 4
        out, err = capsys.readouterr()
        assert (out, err.count("\n"), "\x1b" in err) == ("", 1, False)
        assert "is damaged" in err


def check_flips(run, pyz_file, places, draw, *, codes):
    """Flip a bit at each place; the file must end with one of the codes, and never with an answer."""
    content = pyz_file.read_bytes()
    for place in places:
        Path("damaged.pyz").write_bytes(flipped(content, place, draw))
        done = run("damaged.pyz", "the cat sat")
        assert done.returncode in codes, (place, done.stderr)
        assert done.stdout == ""
        if done.returncode == 4:
            assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_flipped_bit_is_one_line_and_exit_code_4(run, pyz_file):
    draw = random.Random(1)
    early, others = parts_of(pyz_file)
    check_flips(run, pyz_file, draw.sample(others, 6), draw, codes={4})
    check_flips(run, pyz_file, draw.sample(early, 6), draw, codes={1, 4})


@pytest.mark.long
def test_many_flipped_bits_are_one_line_and_exit_code_4(run, pyz_file):
    draw = random.Random(2)
    early, others = parts_of(pyz_file)
    check_flips(run, pyz_file, draw.sample(others, 300), draw, codes={4})
    check_flips(run, pyz_file, draw.sample(early, 500), draw, codes={1, 4})


def test_a_file_that_is_cut_off_does_not_answer(run, pyz_file):
    content = pyz_file.read_bytes()
    for size in (len(content) - 1, len(content) // 2):
        Path("cut.pyz").write_bytes(content[:size])
        done = run("cut.pyz", "the cat sat")
        assert (done.returncode, done.stdout) in {(1, ""), (4, "")}
