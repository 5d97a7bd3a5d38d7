"""Settings are checked where they enter, by one rule for Python, the command line and TOML."""

from dataclasses import dataclass
from math import inf, nan
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

from tests.conftest import invoke
from textclf.config import PreprocessConfig, TrainConfig
from textclf.errors import UsageError
from textclf.settings import Choice, Range, Rule, check, check_names, paths, rules, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One field of each kind."""

    size: Annotated[int, Range(1, 9_999)] = 1
    share: Annotated[float, Range(0, 1, with_high=False)] | None = None
    color: Annotated[str, Choice(("red", "green"))] = "red"
    name: str | None = None
    folder: Path = Path("x")
    columns: tuple[str, ...] = ()
    strict: bool = False
    foreign: dict[str, int] | None = None

    def __post_init__(self) -> None:
        check(self)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("size", np.int64(3), 3),
        ("size", np.uint8(3), 3),
        ("share", 0, 0.0),
        ("share", np.float32(0.5), 0.5),
        ("share", np.int16(0), 0.0),
        ("share", None, None),
        ("color", np.str_("green"), "green"),
        ("name", Path("a/b"), "a/b"),
        ("folder", "a/b", Path("a/b")),
        ("columns", "a", ("a",)),
        ("columns", ["a", np.str_("b")], ("a", "b")),
        ("strict", np.bool_(True), True),
        ("foreign", {"a": 1}, {"a": 1}),
    ],
)
def test_a_value_of_a_similar_type_is_given_the_type_of_the_setting(name, value, expected):
    found = getattr(Config(**{name: value}), name)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("size", 0, "size: 0 is not a whole number at least 1 and at most 9,999"),
        ("size", 10_000, "size: 10000 is not a whole number at least 1 and at most 9,999"),
        ("size", True, "size: True is not a whole number at least 1 and at most 9,999"),
        ("size", np.True_, "size: np.True_ is not a whole number at least 1 and at most 9,999"),
        ("size", 2.0, "size: 2.0 is not a whole number at least 1 and at most 9,999"),
        ("size", "2", "size: '2' is not a whole number at least 1 and at most 9,999"),
        ("size", None, "size: None is not a whole number at least 1 and at most 9,999"),
        ("size", nan, "size: nan is not a whole number at least 1 and at most 9,999"),
        ("size", [1], "size: [1] is not a whole number at least 1 and at most 9,999"),
        ("share", 1, "share: 1 is not a number at least 0 and below 1"),
        ("share", -0.1, "share: -0.1 is not a number at least 0 and below 1"),
        ("share", nan, "share: nan is not a number at least 0 and below 1"),
        ("share", inf, "share: inf is not a number at least 0 and below 1"),
        ("share", 10**400, f"share: 1{'0' * 59}… is not a number at least 0 and below 1"),
        ("share", False, "share: False is not a number at least 0 and below 1"),
        ("share", 1j, "share: 1j is not a number at least 0 and below 1"),
        ("color", "blue", "color: 'blue' is not one of red, green"),
        ("color", None, "color: None is not one of red, green"),
        ("name", b"a", "name: b'a' is not a string"),
        ("folder", None, "folder: None is not a path"),
        ("folder", "a\0b", "folder: 'a\\x00b' is not a path"),
        ("columns", ["a", 1], "columns: ['a', 1] is not a string or a list of strings"),
        ("columns", None, "columns: None is not a string or a list of strings"),
        ("strict", 1, "strict: 1 is not True or False"),
        ("strict", "yes", "strict: 'yes' is not True or False"),
        ("strict", np.zeros((2, 2)), "strict: a ndarray is not True or False"),
    ],
)
def test_any_other_value_is_refused_in_one_line_that_names_the_setting(name, value, message):
    with pytest.raises(UsageError) as caught:
        Config(**{name: value})
    assert str(caught.value) == message


@pytest.mark.parametrize("config", [PreprocessConfig, TrainConfig])
def test_every_number_of_a_config_has_a_range_and_every_field_a_rule(config):
    for name, rule in rules(config).items():
        assert rule.kind in (bool, int, float, str, Path, tuple) or name == "user_model"
        assert rule.allowed is not None or rule.kind not in (int, float)


def test_an_unknown_setting_is_named_with_one_that_is_spelled_like_it():
    with pytest.raises(UsageError, match=r"^no setting named 'colour'; did you mean color\?$"):
        check_names(Config, ["size", "colour"])
    with pytest.raises(UsageError, match=r"^no setting named 'zzz'; there are size, share, color, "):
        check_names(Config, ["zzz"])
    with pytest.raises(UsageError, match=r"^no setting named 'foreign'; there are "):
        check_names(Config, ["foreign"])


def test_paths_are_one_or_several():
    assert paths("code", "a.py") == paths("code", Path("a.py")) == paths("code", ["a.py"]) == [Path("a.py")]
    for wrong in (5, None, b"a.py", ["a.py", None]):
        with pytest.raises(UsageError, match=r"^code: .* is not a path$"):
            paths("code", wrong)


def test_a_long_value_is_cut_and_one_of_many_lines_named():
    assert len(shown("x" * 10**6)) < 70
    assert shown(np.zeros((99, 99))) == "a ndarray"
    assert str(Rule(float, Range(0, with_low=False))) == "a number above 0"
    assert str(Rule(int)) == "a whole number"


@pytest.mark.parametrize(
    "given",
    [
        ["train", "--epochs", "0"],
        ["train", "--epochs", "2.5"],
        ["train", "--lr", "nan"],
        ["train", "--lr", "inf"],
        ["train", "--lr", "0"],
        ["train", "--dropout", "1"],
        ["train", "--clip-norm", "nan"],
        ["train", "--num-workers", "100000"],
        ["train", "--batch-size", "9999999999"],
        ["train", "--seed", "-1"],
        ["preprocess", "--test-size", "nan"],
        ["preprocess", "--validation-size", "1"],
        ["preprocess", "--num-workers", "100000"],
        ["predict", "--reject-below", "nan", "rain"],
        ["predict", "--top-k", "0", "rain"],
        ["export", "--max-drop", "nan"],
    ],
    ids=" ".join,
)
def test_the_command_line_has_the_same_rules(given, runner):
    result = invoke(runner, *given)
    value = next(each for each in given[2:] if not each.startswith("--") or each == "-1")
    assert result.exit_code == 2
    assert given[1] in result.stderr
    assert f"'{value}' is not a " in result.stderr
    assert not any(Path().iterdir())


@pytest.mark.parametrize(
    "line", ["epochs = 0", "epochs = true", "epochs = 2.5", "lr = nan", "dropout = -1", 'tier = "huge"', "data = 5"]
)
def test_a_toml_file_has_the_same_rules(line, runner):
    Path("settings.toml").write_text(f"[train]\n{line}")
    result = invoke(runner, "train", "--config", "settings.toml")
    assert result.exit_code == 2
    assert line.split()[0] in result.stderr
    assert "Traceback" not in result.stderr
    assert [path.name for path in Path().iterdir()] == ["settings.toml"]
