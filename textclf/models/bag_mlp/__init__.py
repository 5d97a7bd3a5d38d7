"""Bags of embeddings and a multi-layer perceptron."""
