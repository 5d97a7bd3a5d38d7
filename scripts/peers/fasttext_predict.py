"""A label for each line of a file: fasttext_predict.py MODEL LINES."""

import sys
from pathlib import Path

import fasttext

model, source = sys.argv[1:]
texts = Path(source).read_text(encoding="utf-8").splitlines()
labels, _ = fasttext.load_model(model).predict(texts)
print("\n".join(best.removeprefix("__label__") for (best,) in labels))
