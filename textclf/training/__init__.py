"""Training: the loop, checkpoints, TensorBoard, and the run that puts them together."""
