"""A label for each line of a file: svm_predict.py MODEL LINES."""

import sys
from pathlib import Path

import joblib

model, source = sys.argv[1:]
texts = Path(source).read_text(encoding="utf-8").splitlines()
print("\n".join(joblib.load(model).predict(texts)))
