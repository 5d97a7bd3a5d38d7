"""One file with a model and the code that predicts, run by Python: what it is started with, and its command line."""
