"""What stands in a model of one file for the modules that train: importing it says where they are."""

from textclf.errors import UsageError

raise UsageError(
    "a model in one file predicts and no more; to train and to preprocess, install it: pip install textclf"
)
