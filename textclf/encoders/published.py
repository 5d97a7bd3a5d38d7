"""Encoders as they are published: a folder of the Hugging Face Hub, read and checked, becomes files of ours.

config.json                  sizes: https://huggingface.co/docs/transformers/model_doc/bert
model.safetensors            weights
vocab.txt, tokenizer.json    the pieces of the tokenizer, in either
tokenizer_config.json        whether texts are turned into lower case
modules.json, 1_Pooling/     how a text's vector is made: https://sbert.net/docs/package_reference/sentence_transformer
sentence_bert_config.json    tokens that are read of a text
README.md                    the licence, in its head
LICENSE*, NOTICE*            copied

No code of an encoder is run, and no pickle is read.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from textclf.encoders import bert, encoder
from textclf.encoders.bert import ACTIVATIONS, Sizes
from textclf.encoders.packing import Floats
from textclf.encoders.wordpiece import SPECIAL, Rules
from textclf.errors import DataError, TextclfError
from textclf.system import failures, files, tensor_files

MOST_UNUSED: Final = 127
"""Rows of the embeddings that may have no piece: some have been filled up to a multiple of 128."""
MOST_TEXT: Final = 1_000_000
"""Bytes of a licence or a notice."""

_SIZES: Final = {
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
    "hidden": "hidden_size",
    "inner": "intermediate_size",
    "layers": "num_hidden_layers",
}
_POOLINGS: Final = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}
_LICENCE: Final = re.compile(r"^license: *[\"']?([\w.+-]+)[\"']? *$", re.MULTILINE)
_SPDX: Final = {"apache-2.0": "Apache-2.0", "mit": "MIT", "cc-by-4.0": "CC-BY-4.0", "bsd-3-clause": "BSD-3-Clause"}


def read(
    folder: Path,
    *,
    name: str,
    source: str | None = None,
    licence: str | None = None,
    texts: Mapping[str, bytes] | None = None,
    precision: str = "int10",
) -> dict[str, encoder.Content]:
    """The files of an encoder of ours, made from a published one.

    source, licence, texts: in place of the folder's path and what is found in it. Raises DataError if the folder holds
    no encoder of a kind that we can use.
    """
    try:
        sizes, settings = _sizes_and_settings(folder)
        pieces, of_tokenizer = _tokenizer(folder, sizes)
        weights = _weights(folder, sizes, settings["heads"], precision)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise failures.refused(error, folder) or _unusable(folder, error) from error
    return encoder.build(
        weights,
        pieces,
        about={"name": name, "source": source or str(folder.resolve()), "licence": licence or _licence(folder)},
        settings=settings | of_tokenizer,
        texts=_texts(folder) if texts is None else texts,
    )


def _unusable(folder: Path, error: Exception) -> TextclfError:
    why = f"it has no {Path(error.filename).name}" if isinstance(error, FileNotFoundError) else str(error)
    return DataError(
        f"{folder} is no encoder that textclf can use: {' '.join(why.split())}; it takes BERT-like ones in safetensors "
        "with a WordPiece vocabulary"
    )


def _sizes_and_settings(folder: Path) -> tuple[Sizes, dict[str, Any]]:
    """The sizes of the weights, and the fields of `bert.Settings`; raises ValueError for what we do not compute."""
    config = files.read_object(folder / "config.json")
    if (kind := config.get("model_type")) != "bert":
        raise ValueError(f"its model is of the type {kind!r}, not 'bert'")
    if (kind := config.get("position_embedding_type", "absolute")) != "absolute":
        raise ValueError(f"its positions are {kind!r}, not 'absolute'")
    if (activation := config.get("hidden_act", "gelu")) not in ACTIVATIONS:
        raise ValueError(f"its activation is {activation!r}, not one of {', '.join(ACTIVATIONS)}")
    sizes, heads = Sizes(**{ours: _count(config, name) for ours, name in _SIZES.items()}), _count(config, _HEADS)
    if sizes.hidden % heads:
        raise ValueError(f"its hidden_size is {sizes.hidden}, which {heads} heads cannot share")
    pooling, normalises = _modules(folder)
    settings = {
        "heads": heads,
        "activation": activation,
        "epsilon": float(config.get("layer_norm_eps", 1e-12)),
        "pooling": pooling,
        "normalises": normalises,
    }
    return sizes, settings


_HEADS: Final = "num_attention_heads"


def _count(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"its config.json says that {name} is {value!r}")
    return value


def _modules(folder: Path) -> tuple[str, bool]:
    """How vectors of tokens become one, and whether it gets length 1; as sentence-transformers does without a file."""
    if not (folder / "modules.json").exists():
        return "mean", False
    kinds = {module["type"].rpartition(".")[2]: module["path"] for module in files.read_json(folder / "modules.json")}
    if others := set(kinds) - {"Transformer", "Pooling", "Normalize"}:
        raise ValueError(f"it has a module {min(others)}")
    modes = files.read_object(folder / Path(kinds["Pooling"]).name / "config.json")
    chosen = [name for name, value in modes.items() if name.startswith("pooling_mode_") and value is True]
    if modes.get("pooling_mode") in ("mean", "cls"):  # as versions from 6 on write it
        chosen = [next(name for name in _POOLINGS if str(modes["pooling_mode"]) in name)]
    if len(chosen) != 1 or chosen[0] not in _POOLINGS:
        raise ValueError(f"its pooling is {' and '.join(chosen) or 'not said'}, not one of {', '.join(_POOLINGS)}")
    return _POOLINGS[chosen[0]], "Normalize" in kinds


def _tokenizer(folder: Path, sizes: Sizes) -> tuple[list[str], dict[str, Any]]:
    """The pieces of the vocabulary, and the settings of the tokenizer."""
    fast = _optional(folder / "tokenizer.json")
    config, of_sentences = (_optional(folder / name) for name in ("tokenizer_config.json", "sentence_bert_config.json"))
    found, normalizer = Rules()._asdict(), fast.get("normalizer") or {}
    if fast and (kind := fast["model"]["type"]) != "WordPiece":
        raise ValueError(f"its tokenizer is {kind}, not WordPiece")
    if fast and normalizer.get("type", "BertNormalizer") != "BertNormalizer":
        raise ValueError(f"its tokenizer has a normalizer {normalizer['type']}, not BertNormalizer")
    lowercase = config.get("do_lower_case", normalizer.get("lowercase", True))
    found["lowercase"] = bool(lowercase or of_sentences.get("do_lower_case"))
    accents = config.get("strip_accents", normalizer.get("strip_accents"))
    found["strip_accents"] = bool(lowercase if accents is None else accents)
    found["split_ideographs"] = bool(config.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars", True)))
    names = [_content(config.get(name), default) for name, default in zip(_SPECIAL_KEYS, SPECIAL, strict=True)]
    pieces = _pieces(folder, fast)
    if not 0 <= sizes.vocabulary - len(pieces) <= MOST_UNUSED:
        raise ValueError(f"its vocabulary has {len(pieces):,} pieces, and config.json says {sizes.vocabulary:,}")
    if missing := [piece for piece in names if piece not in pieces]:
        raise ValueError(f"its vocabulary has no {missing[0]}")
    longest = of_sentences.get("max_seq_length") or config.get("model_max_length") or sizes.positions
    return pieces, {**found, "special": names, "max_length": int(max(2, min(longest, sizes.positions)))}


_SPECIAL_KEYS: Final = ("unk_token", "cls_token", "sep_token")


def _pieces(folder: Path, fast: Mapping[str, Any]) -> list[str]:
    """The pieces in the order of their ids."""
    path = folder / "vocab.txt"
    if not path.exists() and fast:
        ids: dict[str, int] = fast["model"]["vocab"]
        if sorted(ids.values()) != list(range(len(ids))) or any("\n" in piece for piece in ids):
            raise ValueError("the ids of its vocabulary have gaps, or a piece has a line break")
        return sorted(ids, key=lambda piece: ids[piece])
    text = files.read_bytes(path, most=files.MAX_JSON_BYTES).decode("utf-8")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _optional(path: Path) -> dict[str, Any]:
    return files.read_object(path) if path.exists() else {}


def _content(token: Any, default: str) -> str:
    """The spelling of a special token, which is a string or an object."""
    return str(token["content"] if isinstance(token, dict) else token or default)


def _weights(folder: Path, sizes: Sizes, heads: int, precision: str) -> dict[str, NDArray[Any]]:
    """The weights as we store them; raises ValueError if one is missing, or has not the shape that the sizes say."""
    path = folder / "model.safetensors"
    if not path.exists() and (folder / "pytorch_model.bin").exists():
        raise ValueError("its weights are a pickle, pytorch_model.bin, which is never read")
    try:
        arrays, _ = tensor_files.read(path)
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"its model.safetensors cannot be read ({error!r})") from error
    prefix = "" if "embeddings.word_embeddings.weight" in arrays else "bert."

    def tensor(name: str, *shape: int) -> Floats:
        array = arrays.get(prefix + name)
        if array is None:
            raise ValueError(f"its model.safetensors has no {name}")
        if array.shape != shape:
            raise ValueError(f"its {name} has the shape {array.shape}, and config.json says {shape}")
        found: Floats = array.astype(np.float32)
        if array.dtype.kind != "f" or not np.isfinite(found).all():
            raise ValueError(f"its {name} has numbers that are not finite")
        return found

    def norm(ours: str, name: str) -> dict[str, Floats]:
        return {f"{ours}.{part}": tensor(f"{name}.LayerNorm.{part}", hidden) for part in ("weight", "bias")}

    def linear(ours: str, shape: tuple[int, int], *names: str) -> dict[str, Floats]:
        weight = np.concatenate([tensor(f"{name}.weight", *shape) for name in names])
        bias = np.concatenate([tensor(f"{name}.bias", shape[0]) for name in names])
        return {f"{ours}.weight": np.ascontiguousarray(weight.T), f"{ours}.bias": bias}

    stored = bert.packed if precision == "int10" else dict
    hidden, inner = sizes.hidden, sizes.inner
    kind = "embeddings.token_type_embeddings.weight"
    kinds = arrays[prefix + kind].shape[0] if prefix + kind in arrays else 0
    weights: dict[str, NDArray[Any]] = {
        **stored({"words": tensor("embeddings.word_embeddings.weight", sizes.vocabulary, hidden)}),
        **stored(
            {
                "positions": tensor("embeddings.position_embeddings.weight", sizes.positions, hidden)
                + tensor(kind, kinds, hidden)[0]
            }
        ),
        **norm("norm", "embeddings"),
    }
    for layer in range(sizes.layers):
        here, theirs = f"layers.{layer}", f"encoder.layer.{layer}"
        of_self = [f"{theirs}.attention.self.{name}" for name in ("query", "key", "value")]
        attention = linear(f"{here}.attention", (hidden, hidden), *of_self)
        for array in attention.values():
            array[..., :hidden] /= np.sqrt(np.float32(hidden // heads))
        weights |= stored(
            {
                **attention,
                **linear(f"{here}.attended", (hidden, hidden), f"{theirs}.attention.output.dense"),
                **norm(f"{here}.attention_norm", f"{theirs}.attention.output"),
                **linear(f"{here}.inner", (inner, hidden), f"{theirs}.intermediate.dense"),
                **linear(f"{here}.outer", (hidden, inner), f"{theirs}.output.dense"),
                **norm(f"{here}.norm", f"{theirs}.output"),
            }
        )
    return weights


def _licence(folder: Path) -> str:
    """The licence that the head of README.md names."""
    try:
        head = files.read_bytes(folder / "README.md", most=MOST_TEXT).decode("utf-8", "replace")
    except (OSError, ValueError):
        return "unknown"
    found = _LICENCE.search(head.split("\n---", 1)[0]) if head.startswith("---") else None
    return _SPDX.get(found[1], found[1]) if found else "unknown"


def _texts(folder: Path) -> dict[str, bytes]:
    """The files about the licence."""
    paths = [path for path in sorted(folder.iterdir()) if re.match(r"(?i)(licen[cs]e|notice)", path.name)]
    return {path.name: files.read_bytes(path, most=MOST_TEXT) for path in paths if path.is_file()}
