"""A label for each line of a file: libmultilabel_predict.py MODEL LINES."""

import sys
from pathlib import Path

from libmultilabel import linear

model, source = sys.argv[1:]
texts = Path(source).read_text(encoding="utf-8").splitlines()
preprocessor, model = linear.load_pipeline(f"{model}/linear_pipeline.pickle")
scores = linear.predict_values(model, preprocessor.vectorizer.transform(texts))
labels, _ = linear.get_topk_labels(scores, preprocessor.label_mapping, top_k=1)
print("\n".join(best for (best,) in labels))
