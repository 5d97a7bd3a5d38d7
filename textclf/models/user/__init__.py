"""A user's own `torch.nn.Module` as a model: `Network` says what it must look like.

It reads what the models of sequences read, is trained like them, and predicts through torch, since nobody has written
its forward pass in numpy.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from textclf.errors import UsageError
from textclf.models import lstm
from textclf.models.model import Architecture, OnnxGraph, Preset, Runtime
from textclf.models.user import code as user_code
from textclf.models.user.code import Code

if TYPE_CHECKING:
    from torch import Tensor

    from textclf.models.sequences.batch import Batch
    from textclf.models.sequences.features import Sequences


class Network(Protocol):
    """What ``textclf train --model my_model.py:MyModel`` needs of the class: this is a complete my_model.py.

    .. code-block:: python

        '''A mean of word embeddings that learns which words matter.'''

        import torch
        from torch import nn


        class MyModel(nn.Module):
            '''Embeddings, attention over the words of a document, logits.'''

            def __init__(self, *, vocabulary, classes, embedding_size=64, dropout=0.3):
                super().__init__()
                self.embedding = nn.Embedding(vocabulary, embedding_size, padding_idx=0)
                self.dropout = nn.Dropout(dropout)
                self.score = nn.Linear(embedding_size, 1)
                self.output = nn.Linear(embedding_size, classes)

            def forward(self, batch):
                '''B documents, T tokens in the longest, E embedding size, C classes.

                batch.tokens (B, T): token ids, 0 is padding; batch.lengths (B,); batch.labels (B,).
                '''
                embedded = self.dropout(self.embedding(batch.tokens))  # (B, T, E)
                scores = self.score(embedded).squeeze(2)  # (B, T)
                scores = scores.masked_fill(batch.tokens == 0, -torch.inf)  # no attention to padding
                attention = scores.softmax(dim=1)  # (B, T), of each document adds up to 1
                document = (attention[:, :, None] * embedded).sum(dim=1)  # (B, E)
                return self.output(document)  # (B, C)

    The constructor is given, by keyword, the number of word ids and of classes, and those of the settings
    ``embedding_size``, ``hidden_size``, ``dropout``, ``word_dropout`` and ``max_length`` that it names: a default there
    is the default of the option, and an option that it does not name is refused. The file must be whole in itself: it
    is what predicts, and only its SHA-256 is recorded with the weights.
    """

    def __init__(self, *, vocabulary: int, classes: int, **settings: Any) -> None: ...

    def forward(self, batch: Batch) -> Tensor:
        """Logits of shape (B, C), or (V, B, C) of V views that learn side by side and are averaged to predict.

        ``labels`` are -1 where there are none, as when predicting. The tensors are on the device of the parameters.
        """


SETTINGS: Final = ("embedding_size", "hidden_size", "dropout", "word_dropout", "max_length")
"""Settings that a constructor may name."""

PRESET: Final = lstm.WIDE
"""Of a class that names every setting and gives none a default. Of four learning rates, that of the lstm also has the
lowest validation loss on bbc_news for a model with attention and for a small transformer."""


@dataclass(frozen=True)
class UserModel:
    """A user's class behind the Protocol `textclf.models.model.Model`."""

    code: Code
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the network that was trained; empty before training."""

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.code.network.__name__

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The settings that the constructor names, with its default or None.

        Raises UsageError if it cannot be called by keyword with the number of words and of classes.
        """
        parameters = inspect.signature(self.code.network).parameters.values()
        named = {each.name: each for each in parameters if each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD)}
        takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
        where = f"{self.code.file}:{self.code.line('__init__')}: {self.name}.__init__"
        if missing := [name for name in ("vocabulary", "classes") if name not in named and not takes_all]:
            raise UsageError(f"{where} must take {' and '.join(missing)} as keyword arguments")
        ours = {"vocabulary", "classes", *SETTINGS}
        if strange := [name for name, each in named.items() if each.default is each.empty and name not in ours]:
            raise UsageError(f"{where} needs {strange[0]}, which textclf does not know: give it a default")
        defaults = {name: named[name].default for name in SETTINGS if name in named}
        return {name: None if value is inspect.Parameter.empty else value for name, value in defaults.items()}

    @cached_property
    def PRESET(self) -> Preset:  # noqa: N802  as in the Protocol
        """The defaults of the constructor, where it has some."""
        sizes = {name: getattr(PRESET, name) if name in self.settings else None for name in SETTINGS}
        sizes["max_length"] = PRESET.max_length  # documents are cut whether the network knows or not
        given = {name: value for name, value in self.settings.items() if value is not None}
        return replace(PRESET, **{**sizes, **given})

    def preset_for(self, *, documents: int, tokens: int) -> Preset:
        """The same for all documents."""
        return self.PRESET

    def runtime(self) -> Runtime:
        """What predicts, through torch."""
        return self._runtime

    @cached_property
    def _runtime(self) -> Runtime:
        from textclf.models import sequences
        from textclf.models.user.predict import TorchForward

        return sequences.runtime(TorchForward(self.code, self.arguments), spells=False)

    def architecture(self) -> Architecture:
        """What is trained; its network is tried on a small batch as it is made."""
        from textclf.models import sequences
        from textclf.models.user.trial import build_and_try

        return sequences.architecture(partial(build_and_try, self.code))._replace(settings=tuple(self.settings))

    def onnx_graph(self) -> OnnxGraph | None:
        """None: nobody has written it."""
        return None

    def record(self) -> dict[str, Any]:
        """What a config.json says of the code: which it was, and how the network was made."""
        entry_point = {"entry_point": self.code.entry_point} if self.code.entry_point else {}
        named = {"class": self.name, "file": self.code.file.name, "sha256": self.code.sha256}
        return {**named, **entry_point, "arguments": dict(self.arguments)}


def named(name: str) -> UserModel | None:
    """The class that the user names, as ``FILE.py:CLASS`` or as an installed package offers it; None: there is none.

    Raises UsageError if the file or the class cannot be used.
    """
    path, colon, kind = name.rpartition(":")
    if colon:
        found: Code | None = user_code.from_file(Path(path), kind)
    elif name.endswith(".py"):
        raise UsageError(f"{name} is a file: name the class in it, too, as {name}:CLASS")
    else:
        found = user_code.from_entry_point(name)
    return UserModel(found) if found is not None else None


def of_record(record: Any, *, code: Sequence[Path], root: Path) -> UserModel:
    """The model that a config.json in ``root`` speaks of, from files that the user names or an installed package.

    Raises UsageError if there is no such file or package, or if it is not the one that was trained with, ValueError or
    LookupError if the record is damaged.
    """
    record = checked(record)
    name, file, sha256 = record["class"], record["file"], record["sha256"]
    trained_with = f"{root} was trained with {name} from {file}"
    contents = {path: user_code.read(path) for path in code}
    for path, content in contents.items():
        if user_code.sha256(content) == sha256:
            return UserModel(user_code.from_content(path, content, name), record["arguments"])
    for path, content in contents.items():
        if path.name == file:
            raise UsageError(_another(path, trained_with, expected=sha256, found=user_code.sha256(content)))
    if "entry_point" in record:
        installed = user_code.from_entry_point(record["entry_point"])
        if installed is not None and installed.sha256 == sha256:
            return UserModel(installed, record["arguments"])
        if installed is not None:
            raise UsageError(_another(installed.file, trained_with, expected=sha256, found=installed.sha256))
    others = f"; {', '.join(map(str, code))} is another file" if code else ""
    raise UsageError(f"{trained_with}: add --code {file}{others}")


def features() -> type[Sequences]:
    """What a user's network reads: token ids, cut and padded."""
    from textclf.models.sequences.features import Sequences

    return Sequences


def _another(path: Path, trained_with: str, *, expected: str, found: str) -> str:
    return (
        f"{trained_with}, and {path} is not that file: its SHA-256 begins with {found[:12]} and not with "
        f"{expected[:12]}; bring the file as it was, or train again"
    )


def checked(record: Any) -> dict[str, Any]:
    """What a config.json says of the code; raises ValueError or LookupError unless `UserModel.record` could say it."""
    name, file, sha256, arguments = (record[key] for key in ("class", "file", "sha256", "arguments"))
    texts = (name, file, sha256, record.get("entry_point", "x"))
    if not all(isinstance(text, str) and text.isprintable() and text for text in texts):
        raise ValueError("what it says of its code is not text")
    if not name.isidentifier() or Path(file).name != file or file == ".." or len(sha256) != 64:
        raise ValueError("what it says of its code is no class, file and SHA-256")
    if not isinstance(arguments, dict) or not arguments.keys() <= {"vocabulary", "classes", *SETTINGS}:
        raise ValueError("its network was made with arguments that textclf does not give")
    if not all(isinstance(value, int | float) for value in arguments.values()):
        raise ValueError("its network was made with arguments that are not numbers")
    return dict(record)
