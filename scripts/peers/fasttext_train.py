"""Supervised fastText with pairs of words, on two threads: fasttext_train.py TRAIN.ft MODEL EPOCHS DIM."""

import sys

import fasttext

source, target, epochs, dim = sys.argv[1:]
model = fasttext.train_supervised(source, epoch=int(epochs), dim=int(dim), wordNgrams=2, lr=0.5, thread=2, verbose=0)
model.save_model(target)
