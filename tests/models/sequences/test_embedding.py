import numpy as np
import torch

from textclf.models.sequences.batch import PieceEmbedding
from textclf.models.sequences.embedding import embed
from textclf.text.tokenizer import PAD_ID


def test_the_embedding_of_a_token_is_the_sum_of_those_of_its_pieces_over_the_root_of_their_number():
    layer = PieceEmbedding(10, 4)
    tokens = torch.tensor([[[5, 6, 7, 8], [2, 0, 0, 0]], [[3, 3, 0, 0], [0, 0, 0, 0]]])
    rows = layer.weight.detach()
    expected = [[(rows[5] + rows[6] + rows[7] + rows[8]) / 2, rows[2]], [rows[3] * 2**0.5, torch.zeros(4)]]
    embedded = layer(tokens).detach()
    torch.testing.assert_close(embedded, torch.stack([torch.stack(row) for row in expected]))
    in_numpy = embed({"embedding.weight": rows.numpy()}, tokens.numpy())
    np.testing.assert_allclose(in_numpy, embedded.numpy(), rtol=1e-6)


def test_pieces_share_the_gradient_of_their_token_and_padding_has_none():
    layer = PieceEmbedding(10, 4)
    layer(torch.tensor([[[5, 6, 7, 8], [2, 0, 0, 0]]])).sum().backward()
    assert layer.weight.grad[:, 0].tolist() == [0, 0, 1, 0, 0, 0.5, 0.5, 0.5, 0.5, 0]
    assert not layer.weight[PAD_ID].any()
