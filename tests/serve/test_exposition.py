"""Prometheus' text format."""

import numpy as np

from textclf.serve.exposition import Counter, Histogram


def test_a_counter_has_a_line_for_each_series():
    counter = Counter("x_total", "What.", [(), (("a", "1"), ("b", "2"))])
    assert counter.lines(np.array([3.0, 4e15])) == [
        "# HELP x_total What.",
        "# TYPE x_total counter",
        "x_total 3",
        'x_total{a="1",b="2"} 4000000000000000',
    ]


def test_a_histogram_has_cumulated_buckets_for_each_series():
    histogram = Histogram("x", "What.", [0.5, 1.0], [(("a", "1"),), (("a", "2"),)])
    columns = np.zeros(histogram.columns)
    for value in (0.5, 0.6, 7):
        histogram.add(columns, 1, value)
    first, second = histogram.lines(columns)[2:7], histogram.lines(columns)[7:]
    assert first[-1] == 'x_count{a="1"} 0'
    assert second == [
        'x_bucket{a="2",le="0.5"} 1',
        'x_bucket{a="2",le="1.0"} 2',
        'x_bucket{a="2",le="+Inf"} 3',
        'x_sum{a="2"} 8.100000',
        'x_count{a="2"} 3',
    ]


def test_a_hostile_label_stays_in_its_quotes():
    labels = ['"} 1\nevil_total{a="', "back\\", "a\\nb", "a\nb", "\ud800", "<b>"]
    counter = Counter("x_total", "What.", [(("label", label),) for label in labels])
    lines = counter.lines(np.arange(len(labels)))[2:]
    assert all("\n" not in line and line.startswith('x_total{label="') for line in lines)
    assert lines[0] == 'x_total{label="\\"} 1\\nevil_total{a=\\""} 0'
    assert len(set(lines)) == len(labels)
    assert "".join(lines).encode()
