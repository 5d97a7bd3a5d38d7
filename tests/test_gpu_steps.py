"""What scripts/gpu-check measures of steps: small here, on the CPU."""

import gpu_steps
import numpy as np
import pytest
import torch

CPU = torch.device("cpu")
SMALL = gpu_steps.ON_CPU._replace(copied=1 << 16, documents=64, batch=16, loaded=32, sequences=32)


def test_every_model_takes_steps_with_documents_on_the_device_and_by_the_loader():
    lines = []
    record = gpu_steps.measure(CPU, SMALL, tell=lines.append)
    rows = record["rows"]
    assert [(row["model"], row["resident"], row["precision"]) for row in rows] == [
        (model, held, "float32") for model in ("mlp", "lstm", "cnn") for held in (True, False)
    ]
    assert all(row["documents_per_second"] > 0 for row in rows)
    assert [row["model"] for row in rows if "bytes_per_document" in row] == ["mlp"]
    assert record["copy"] > 0
    assert record["gather"] > 0
    assert sum(line.startswith("left out: ") for line in lines) == 2
    assert len(lines) == 1 + len(rows) + 2


def test_the_least_bytes_of_a_step_are_those_of_each_feature_and_of_each_distinct_one():
    # 764 features at width 32, of which a batch of many documents has 0.28 distinct ones per feature
    assert gpu_steps.least_bytes(764, 0, width=32) == 764 * (128 + 16)
    assert gpu_steps.least_bytes(0, 10, width=32) == 10 * (4 * 128 + 8)
    assert gpu_steps.least_bytes(764, 214, width=32) == pytest.approx(0.22e6, rel=0.01)


def test_documents_are_drawn_the_same_each_time_and_as_long_as_asked():
    drawn, again = gpu_steps.Drawn(SMALL), gpu_steps.Drawn(SMALL)
    rows = np.array([5, 3])
    ours = drawn(*drawn.gather(rows), rows)
    assert len(ours.features) == 2 * SMALL.per_document
    assert ours.offsets.tolist() == [0, 20, 40, 60]
    for one, other in zip(ours, again(*again.gather(rows), rows), strict=True):
        np.testing.assert_array_equal(one, other)
    assert 0 <= ours.features.min() <= ours.features.max() < SMALL.features
    with pytest.raises(ValueError, match="by their rows"):
        drawn(*drawn.gather(rows))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_steps_are_taken_on_a_gpu():
    rows = gpu_steps.measure(torch.device("cuda"), SMALL, tell=lambda _line: None)["rows"]
    assert {row["precision"] for row in rows} == {"bfloat16", "float32"}
