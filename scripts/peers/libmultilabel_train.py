"""LibMultiLabel's linear model, each class against the rest, its defaults: libmultilabel_train.py TRAIN.csv MODEL."""

import sys

import pandas as pd
from libmultilabel import linear

source, target = sys.argv[1:]
frame = pd.read_csv(source, dtype=str, keep_default_na=False)[["label", "text"]]
preprocessor = linear.Preprocessor()
documents = preprocessor.fit_transform(linear.load_dataset("dataframe", frame))
model = linear.train_1vsrest(documents["train"]["y"], documents["train"]["x"])
linear.save_pipeline(target, preprocessor, model)
