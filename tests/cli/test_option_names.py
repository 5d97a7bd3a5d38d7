"""One name for each option over all commands: where commands share a name, they mean the same by it."""

from typing import NamedTuple

import click
import pytest

from textclf.cli import main


class Meaning(NamedTuple):
    """What an option of this name is, in whichever command."""

    kind: str
    """Its metavar, or "flag" or "choice"."""
    text: str
    """How its help begins, in each command."""


# A name that means two things, and why it may: as an option with a value, and as a flag.
TWO_MEANINGS = {"--test": "the files of the test split in preprocess, and whether train measures on that split"}

# Names whose help ends differently, as they are the same for different work.
WITH_MORE = {
    "--engine",
    "--folds",
    "--format",
    "--id-column",
    "--input",
    "--max-drop",
    "--max-size",
    "--name",
    "--num-workers",
    "--output",
    "--overwrite",
    "--precision",
    "--resume",
    "--run",
    "--seed",
    "--split",
    "--strict",
    "--top-k",
}

MEANINGS = {
    "--add": Meaning("FILE", "File whose documents are added to the data directory of --name"),
    "--against": Meaning("RUN", "Run to compare the texts of --input with"),
    "--allowed-host": Meaning("TEXT", "Host name to accept in addition"),
    "--baseline": Meaning("PATH", "Run, or model folder, to compare with on the same documents"),
    "--batch-size": Meaning("INTEGER", "Documents per step"),
    "--by": Meaning("choice", "What makes a text worth a label"),
    "--class-weights": Meaning("[none|balanced|FILE.json]", "Weight of each class in the training loss"),
    "--bundle/--no-bundle": Meaning("flag", "Whether the model has a copy of the encoder, or only its name and hash"),
    "--clip-norm": Meaning("NUMBER", "Maximum gradient norm of a step"),
    "--code": Meaning("FILE.py", "File with the class of a model of your own, the same that it was trained with"),
    "--columns": Meaning("NAME,NAME,…", "Names of all columns, in order, of a CSV or TSV file without a header line,"),
    "--config": Meaning("FILE", "TOML file with a table of options for each command, such as [train]"),
    "--corrections": Meaning("FILE", "Reviewed list of wrong labels"),
    "--data": Meaning("DATA", "Data directory"),
    "--data-dir": Meaning("DIRECTORY", "Folder of the data directories"),
    "--debug": Meaning("flag", "Also print the traceback of an error"),
    "--delimiter": Meaning("CHARACTER", "Character between the fields of a CSV or TSV file, such as '"),
    "--device": Meaning("TEXT", "Device to train on"),
    "--dropout": Meaning("NUMBER", "Probability of dropping a unit in training"),
    "--dry-run": Meaning("flag", "Show the first documents, the columns, the labels and the splits"),
    "--embedding-size": Meaning("INTEGER", "Length of a word's embedding"),
    "--encoder": Meaning("NAME|FOLDER", "Sentence encoder whose vectors a second classifier learns from"),
    "--encoder-limit": Meaning("INTEGER", "Maximum number of tokens that the encoder reads"),
    "--encoding": Meaning("TEXT", "Encoding of text files, such as cp1252"),
    "--engine": Meaning("choice", "Where the work is done: in processes of this machine, or on a Ray cluster, "),
    "--epochs": Meaning("INTEGER", "Maximum number of epochs"),
    "--explain": Meaning("flag", "Show how much each word adds to the margin of the label"),
    "--format": Meaning("choice", "Format of what is "),
    "--freeze-vectors/--no-freeze-vectors": Meaning(
        "flag", "Whether these vectors stay as they are, and only the other numbers of the embeddings learn"
    ),
    "--hidden-size": Meaning("INTEGER", "Units of the hidden layer or of each LSTM direction, or filters of each CNN"),
    "--host": Meaning("TEXT", "Address to listen on"),
    "--id-column": Meaning("NAME", "Column with an id of each document"),
    "--init-from": Meaning("PATH", "Run whose weights training starts from"),
    "--input": Meaning("FILE", "File, or its URL, with one text per row, or - for stdin"),
    "--input-format": Meaning("choice", "Format of the files"),
    "--keep-columns": Meaning("flag", "Copy all columns of the files before the answers"),
    "--folds": Meaning("INTEGER", "Number of parts of the documents"),
    "--label-column": Meaning("NAME", "Column with the label"),
    "--label-columns": Meaning("FIRST..LAST", "Columns of 1 and 0, one per label"),
    "--labelled": Meaning("FILE", "File, or its URL, whose texts are labelled already and not chosen"),
    "--label-prefix": Meaning("TEXT", "How labels begin in fastText lines"),
    "--label-separator": Meaning("TEXT", "What is between several labels in one cell"),
    "--label-smoothing": Meaning("NUMBER", "Share of the target probability that is spread over all classes"),
    "--limit": Meaning("INTEGER", "Maximum number of rows"),
    "--list": Meaning("FILE", "Write a row for each document that shows a problem to this file, "),
    "--lowercase/--no-lowercase": Meaning("flag", "Whether texts are turned into lower case"),
    "--lr/--learning-rate": Meaning("NUMBER", "Adam's learning rate"),
    "--max-drop": Meaning("NUMBER", "Maximum loss of accuracy in percentage points"),
    "--max-length": Meaning("INTEGER", "Maximum number of tokens read from a document"),
    "--max-parts": Meaning("INTEGER", "Maximum number of subwords in the vocabulary"),
    "--max-size": Meaning("SIZE", "Maximum total size"),
    "--max-vocab": Meaning("INTEGER", "Maximum number of words in the vocabulary, the most frequent first"),
    "--metric": Meaning("METRIC", "Validation figure to raise"),
    "--min": Meaning("FIGURE=VALUE", "Exit with 7 if a figure is lower"),
    "--min-count": Meaning("INTEGER", "Minimum occurrences of a word in the vocabulary"),
    "--min-gain": Meaning("NUMBER", "Fraction by which a validation loss must be lower to be better"),
    "--model": Meaning("[mlp|lstm|cnn|FILE.py:CLASS]", "A built-in model, or a torch.nn.Module of your own"),
    "--monitor": Meaning("choice", "Validation figure by which the best epoch is chosen"),
    "--n": Meaning("INTEGER", "Number of texts to choose"),
    "--name": Meaning("TEXT", "Name of the "),
    "--num-workers": Meaning("INTEGER", "Number of processes that "),
    "--output": Meaning("PATH", "Where to write the "),
    "--overwrite": Meaning("flag", "Replace a "),
    "--part": Meaning("TEXT", "List of documents in a JSON file (train, data"),
    "--patience": Meaning("INTEGER", "Epochs without a better validation loss before training stops"),
    "--port": Meaning("INTEGER", "Port"),
    "--precision": Meaning("choice", "Number type of "),
    "-q/--quiet": Meaning("flag", "Print results and errors only"),
    "--quote": Meaning("CHARACTER", "Character around fields of a CSV or TSV file that hold delimiters or line ends,"),
    "--ray-address": Meaning("ADDRESS", "Ray cluster to work on: auto for the one of this machine, or HOST:PORT"),
    "--refit/--no-refit": Meaning("flag", "Train for two more epochs on train + validation after early stopping"),
    "--reject-below": Meaning("NUMBER", "Give no label that is less probable than this"),
    "--resident/--no-resident": Meaning("flag", "Whether the documents are kept on the device, if they fit there"),
    "--resume": Meaning("PATH", "Resume a stopped "),
    "--revision": Meaning("TEXT", "Branch, tag or commit of a Hub dataset"),
    "--run": Meaning("PATH", "Run: its path, name, or a unique beginning of the name; or a model/ folder"),
    "--run-dir": Meaning("DIRECTORY", "Folder of the runs"),
    "--seed": Meaning("INTEGER", "Random seed for "),
    "--seeds": Meaning("INTEGER", "Number of runs, with consecutive seeds from --seed"),
    "--shots": Meaning("K", "For experiments: train on K documents of each label of the tier"),
    "--sort": Meaning("choice", "Column to sort by"),
    "--split": Meaning("choice", "Split to measure on"),
    "--store": Meaning("choice", "Where token ids are read"),
    "--strict": Meaning("flag", "Exit with 3 "),
    "--subset": Meaning("TEXT", "Configuration of a Hub dataset, which the Hub calls a subset"),
    "--target-precision": Meaning("NUMBER", "Give only labels of which this share is right on validation documents"),
    "--task": Meaning("choice", "Whether a document has a single label or may have several"),
    "--tensors": Meaning("choice", "Whether each document gets a .pt file"),
    "--test": Meaning("PATH", "Folder or file with the test split"),
    "--test-size": Meaning("NUMBER", "Fraction of the training split to draw if the source has no test split"),
    "--test/--no-test": Meaning("flag", "Measure the finished model on the test split"),
    "--text-column": Meaning("NAME", "Column with the text"),
    "--texts/--no-texts": Meaning("flag", "Show the texts of the most confident mistakes"),
    "--threshold": Meaning("NUMBER", "Where a text may have several labels, give those"),
    "--tier": Meaning("choice", "Part of the training split to train on"),
    "--time": Meaning("TIME", "Maximum time of the search"),
    "--top-k": Meaning("INTEGER", "Number of "),
    "--top-words": Meaning("LABEL", "Label to explain"),
    "--trials": Meaning("INTEGER", "Maximum number of trials, with the defaults"),
    "-v/--verbose": Meaning("flag", "Also print what is read, the settings and the time"),
    "--validation": Meaning("PATH", "Folder or file with the validation split"),
    "--validation-size": Meaning(
        "NUMBER", "Fraction of the training split to draw if the source has no validation split"
    ),
    "--unlabelled": Meaning("FILE", "File of texts without labels, or its URL; repeatable"),
    "--unlabelled-column": Meaning("NAME", "Column of the texts in these files"),
    "--vectors": Meaning("FILE|NAME", "Word vectors that the embeddings of an lstm or a cnn begin with"),
    "--whole-labels": Meaning("flag", "Accept labels that look like lists (billing"),
    "--word-dropout": Meaning("NUMBER", "Probability of reading a token as <unk> in training"),
}


class Option(NamedTuple):
    """An option of one command."""

    command: str
    name: str
    kind: str
    text: str


def options_of_all_commands() -> list[Option]:
    found = []
    for name, command in main.commands.items():  # type: ignore[attr-defined]
        context = click.Context(command, info_name=name)
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                is_choice = isinstance(option.type, click.Choice)
                kind = "flag" if option.is_flag else "choice" if is_choice else option.make_metavar(context)
                found.append(Option(name, "/".join((*option.opts, *option.secondary_opts)), kind, option.help or ""))
    return found


OPTIONS = options_of_all_commands()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{option.command} {option.name}")
def test_an_option_means_what_the_table_says(option: Option) -> None:
    assert option.name in MEANINGS, f"add {option.name} to the table, unless another name means the same"
    kind, text = MEANINGS[option.name]
    assert option.kind == kind
    assert option.text.startswith(text)


def test_the_table_has_no_option_that_is_gone_and_no_meaning_twice() -> None:
    assert {option.name for option in OPTIONS} == set(MEANINGS)
    assert len({meaning.text for meaning in MEANINGS.values()}) == len(MEANINGS)


def test_the_help_of_a_name_is_the_same_everywhere_or_begins_so() -> None:
    texts: dict[str, set[str]] = {}
    for option in OPTIONS:
        texts.setdefault(option.name, set()).add(option.text)
    assert {name for name, found in texts.items() if len(found) > 1} == WITH_MORE


def test_no_name_means_two_things() -> None:
    names = [name for key in MEANINGS for name in key.split("/")]
    assert {name for name in names if names.count(name) > 1} == set(TWO_MEANINGS)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: f"{option.command} {option.name}")
def test_every_help_is_a_sentence_with_its_default_at_the_end(option: Option) -> None:
    sentence, bracket, default = option.text.partition(" [default: ")
    assert sentence.endswith(".")
    assert default.endswith("]") or not bracket
