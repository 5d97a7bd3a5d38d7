"""A random BERT as it is published: two layers, eight wide; what it computes, in torch; and a classifier of that."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from textclf.artefacts.encoder_view import EncoderView
from textclf.encoders import encoder, published

WORDS = ("the", "cat", "sat", "on", "mat", "dog", "rain", "##s", "##ing", "bark", "a", ".", ",", "!")
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"bcdefghijklmnopqrstuvwxyz")
HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 8, 16, 2, 2, 24

CONFIG = {
    "model_type": "bert",
    "vocab_size": len(PIECES),
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
POOLING = {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
README = "---\nlanguage: en\nlicense: apache-2.0\n---\n\nlicense: mit\n"


def write(folder: Path, *, seed: int = 0, **other: object) -> Path:
    """Write a published encoder into a new folder; ``other`` overrides fields of its config."""
    (folder / "1_Pooling").mkdir(parents=True)
    config = {**CONFIG, **other}
    save_file(weights(config, seed), folder / "model.safetensors")
    for name, value in {
        "config.json": config,
        "modules.json": MODULES,
        "1_Pooling/config.json": POOLING,
        "tokenizer_config.json": {"do_lower_case": True},
        "sentence_bert_config.json": {"max_seq_length": 16, "do_lower_case": False},
    }.items():
        (folder / name).write_text(json.dumps(value))
    (folder / "vocab.txt").write_text("\n".join([*PIECES, ""]))
    (folder / "README.md").write_text(README)
    (folder / "LICENSE").write_text("a licence")
    return folder


def weights(config: dict[str, object], seed: int) -> dict[str, np.ndarray]:
    """Random tensors under their published names, large enough that layers matter."""
    random = np.random.default_rng(seed)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": (config["type_vocab_size"], hidden),
        "embeddings.LayerNorm.weight": (hidden,),
        "embeddings.LayerNorm.bias": (hidden,),
        "pooler.dense.weight": (hidden, hidden),
    }
    for layer in range(config["num_hidden_layers"]):
        for name, (outputs, inputs) in {
            "attention.self.query": (hidden, hidden),
            "attention.self.key": (hidden, hidden),
            "attention.self.value": (hidden, hidden),
            "attention.output.dense": (hidden, hidden),
            "intermediate.dense": (inner, hidden),
            "output.dense": (hidden, inner),
        }.items():
            shapes[f"encoder.layer.{layer}.{name}.weight"] = (outputs, inputs)
            shapes[f"encoder.layer.{layer}.{name}.bias"] = (outputs,)
        for name in ("attention.output", "output"):
            shapes[f"encoder.layer.{layer}.{name}.LayerNorm.weight"] = (hidden,)
            shapes[f"encoder.layer.{layer}.{name}.LayerNorm.bias"] = (hidden,)
    drawn = {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    return {
        name: array * 0.1 + 1 if name.endswith("Norm.weight") else array * (0.1 if array.ndim == 1 else 0.7)
        for name, array in drawn.items()
    }


def view(folder: Path, *, classes: int, share: float = 0.25) -> EncoderView:
    """A classifier, which nobody has trained, of the vectors by the published encoder in a folder."""
    draw, units = np.random.default_rng(0), 5
    shapes = {
        "hidden.weight": (units, HIDDEN),
        "hidden.bias": (units,),
        "output.weight": (classes, units),
        "output.bias": (classes,),
    }
    arrays = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return EncoderView(encoder.parse(published.read(folder, name=folder.name), folder), arrays, share=share)


def rewrite(path: Path, **changes: object) -> None:
    """Change fields of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


ACTIVATIONS = {
    "gelu": functional.gelu,
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "relu": functional.relu,
}


def reference(folder: Path, ids: list[int], *, pooling: str = "mean", normalises: bool = True) -> np.ndarray:
    """The vector of a text, computed by torch in float32 from the published files, without padding."""
    config = json.loads((folder / "config.json").read_text())
    tensors = {name: torch.from_numpy(array) for name, array in load_file(folder / "model.safetensors").items()}

    def linear(x, name):
        return functional.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])

    def norm(x, name):
        return functional.layer_norm(
            x, x.shape[-1:], tensors[f"{name}.LayerNorm.weight"], tensors[f"{name}.LayerNorm.bias"]
        )

    def heads(x):
        return x.view(len(ids), config["num_attention_heads"], -1).transpose(0, 1)

    embedded = tensors["embeddings.word_embeddings.weight"][torch.tensor(ids)]
    embedded = embedded + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(embedded + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings")
    for layer in range(config["num_hidden_layers"]):
        here = f"encoder.layer.{layer}"
        of_self = (heads(linear(x, f"{here}.attention.self.{name}")) for name in ("query", "key", "value"))
        attended = functional.scaled_dot_product_attention(*of_self).transpose(0, 1).reshape(len(ids), -1)
        x = norm(linear(attended, f"{here}.attention.output.dense") + x, f"{here}.attention.output")
        inner = ACTIVATIONS[config["hidden_act"]](linear(x, f"{here}.intermediate.dense"))
        x = norm(linear(inner, f"{here}.output.dense") + x, f"{here}.output")
    vector = x.mean(dim=0) if pooling == "mean" else x[0]
    return (functional.normalize(vector, dim=0) if normalises else vector).numpy()
