"""The data directory: tensors, table of documents, packed copy, manifest. No torch, no texts."""
