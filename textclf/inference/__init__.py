"""Predicting with a trained model, in numpy. No torch."""
