"""TF-IDF of words and pairs into a linear SVM, as scikit-learn documents it: svm_train.py TRAIN.csv MODEL."""

import sys

import joblib
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

source, target = sys.argv[1:]
documents = pd.read_csv(source, dtype=str, keep_default_na=False)
model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LinearSVC(random_state=0))
model.fit(documents["text"], documents["label"])
joblib.dump(model, target)
