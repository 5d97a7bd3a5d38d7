"""A text classifier as a PyTorch course writes it, trained on what `textclf preprocess` makes; imports no textclf."""

import json
from argparse import ArgumentParser
from pathlib import Path

import pyarrow.parquet as pq
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter


class TextDataset(Dataset[tuple[Tensor, int]]):  # a document is read from its own file, ID.pt, when asked for
    def __init__(self, folder: Path, split: str, tier: str) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        tiers = ["", *self.manifest["tiers"]]  # each holds those before it; "" is that of validation and test
        wanted = [("split", "=", split), ("tier", "in", tiers[: tiers.index(tier) + 1])]
        table = pq.read_table(folder / "documents", filters=wanted)
        self.list_IDs, self.labels = table["id"].to_pylist(), table["label"].to_pylist()
        self.paths = {path.stem: path for path in (folder / "tensors").glob("*/*.pt")}

    def __len__(self) -> int:
        return len(self.list_IDs)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        tokens = torch.load(self.paths[self.list_IDs[index]], weights_only=True)  # (T,), larger ids: pieces of words
        return tokens[tokens < self.manifest["vocabulary"]][:256], self.manifest["labels"].index(self.labels[index])


def collate(examples: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:  # pads with 0 to the longest of the batch
    tokens = nn.utils.rnn.pad_sequence([tokens for tokens, _ in examples], batch_first=True)
    return tokens, torch.tensor([label for _, label in examples])  # (B, T), (B,)


def initialise(layer: nn.Module) -> None:
    if isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)


class Classifier(nn.Module):  # embedding, LSTM if asked for, mean over the tokens, MLP
    def __init__(self, kind: str, vocabulary: int, classes: int, size: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.lstm = nn.LSTM(size, size // 2, batch_first=True, bidirectional=True) if kind == "lstm" else None
        self.mlp = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Dropout(0.5), nn.Linear(size, classes))
        self.apply(initialise)  # calls it with every layer

    def forward(self, tokens: Tensor) -> Tensor:
        states = self.embedding(tokens)  # (B, T, E)
        states = self.lstm(states)[0] if self.lstm else states  # (B, T, E), half of E from each direction
        inside = (tokens != 0).unsqueeze(2)  # (B, T, 1), false on padding
        return self.mlp((states * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1))  # type: ignore[no-any-return]


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    for name, value in {"data": Path(), "--tier": "tiny", "--model": "mlp", "--epochs": 3, "--num-workers": 2}.items():
        parser.add_argument(name, default=value, type=type(value))
    args = parser.parse_args()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, validation = (TextDataset(args.data, split, args.tier) for split in ("train", "validation"))
    loading = {"batch_size": 32, "num_workers": args.num_workers, "collate_fn": collate}
    model = Classifier(args.model, train.manifest["vocabulary"], len(train.manifest["labels"])).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    writer = SummaryWriter(f"runs/lecture-{args.tier}-{args.model}")
    for epoch in range(1, args.epochs + 1):
        model.train()
        for tokens, labels in DataLoader(train, shuffle=True, **loading):
            loss = nn.functional.cross_entropy(model(tokens.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            hits = torch.cat([model(x.to(device)).argmax(1).cpu() == y for x, y in DataLoader(validation, **loading)])
        writer.add_scalar("Loss/train", loss.item(), epoch)
        writer.add_scalar("Accuracy/validation", hits.float().mean(), epoch)
        print(f"epoch {epoch}: loss of the last batch {loss.item():.4f}, validation accuracy {hits.float().mean():.4f}")
