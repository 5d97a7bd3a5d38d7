"""How good a model is: figures from labels and logits. No torch."""
