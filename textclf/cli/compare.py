"""`textclf compare`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from textclf.cli import commands, labelled_files, options, terminal, values
from textclf.cli.display import fitted, span, table
from textclf.system import escaping
from textclf.system.wording import counted

if TYPE_CHECKING:
    from textclf.experiments.compare import Comparison

SURE = 0.05
"""p-value below which a difference counts as significant."""


@commands.command("compare")
@click.argument("run_a", type=values.RUN)
@click.argument("run_b", type=values.RUN)
@options.code
@options.split()
@options.inputs("Both are compared on it, in place of a split of their data.")
@options.of_rows
@click.option("--strict", is_flag=True, help="Exit with 3 at the first row that cannot be scored.")
@options.text_or_json
def command(
    run_a: Path,
    run_b: Path,
    *,
    code: tuple[Path, ...],
    split: str,
    inputs: tuple[str, ...],
    layout: str,
    **reading: Any,
) -> None:
    """Say whether one of two runs is better, or was lucky.

    Both must have been trained on the same data directory, unless --input names labelled files, on which any two
    models are compared. Differences have 95 % bootstrap intervals over documents; McNemar's exact test says how likely
    chance alone would make a difference as large.

    \b
    Examples:
      textclf compare RUN_A RUN_B
      textclf compare runs/OLD runs/NEW --input reviews.csv
    """
    labelled_files.refuse_mixture(reading, has_files=bool(inputs))
    comparison = _on_files(run_a, run_b, code, inputs, reading) if inputs else _on_split(run_a, run_b, code, split)
    terminal.result(_json(comparison) if layout == "json" else _text(comparison))


def _on_split(run_a: Path, run_b: Path, code: tuple[Path, ...], split: str) -> "Comparison":
    from textclf.experiments.compare import compare

    return compare(options.resolved(run_a), options.resolved(run_b), split=split, code=code)


def _on_files(
    run_a: Path, run_b: Path, code: tuple[Path, ...], inputs: tuple[str, ...], reading: Mapping[str, Any]
) -> "Comparison":
    a, b = (labelled_files.predict_files(run, code, inputs, reading, quiet=run == run_b) for run in (run_a, run_b))
    from textclf.experiments.compare import Side, compare_sides

    sides = (Side.of_files(on.found, on.trained, run=on.run) for on in (a, b))
    return compare_sides(*sides, where=", ".join(a.files))


def _json(comparison: "Comparison") -> str:
    values = {**asdict(comparison), "metrics": [metrics._asdict() for metrics in comparison.metrics]}
    return escaping.to_json(values, indent=2)


def _run(run: str, shots: int | None) -> str:
    return escaping.line(run) + ("" if shots is None else f", {shots:,} per label")


def _text(comparison: "Comparison") -> str:
    a, b = comparison.metrics
    better = "B" if comparison.accuracy > 0 else "A"
    verdict = (
        f"{better} is better: chance alone would rarely make such a difference"
        if comparison.p_value < SURE
        else "chance alone could make such a difference"
    )
    verdict += f" (McNemar's exact test: p = {comparison.p_value:.3g})"
    micro = ("micro-F1", a.micro_f1, b.micro_f1, comparison.micro_f1, comparison.micro_f1_interval)
    figures = table(
        ("", "A", "B", "B - A", "95 % interval"),
        [
            (name, f"{of_a:.4f}", f"{of_b:.4f}", f"{difference:+.4f}", span(found, sign=True))
            for name, of_a, of_b, difference, found in (
                ("accuracy", a.accuracy, b.accuracy, comparison.accuracy, comparison.accuracy_interval),
                *([micro] if a.micro_f1 != a.accuracy else []),
                ("macro-F1", a.macro_f1, b.macro_f1, comparison.macro_f1, comparison.macro_f1_interval),
            )
        ],
        align="<>>>>",
    )
    rows = [
        (each.document, each.label, *each.answers, *(f"{value:.2f}" for value in each.probabilities), each.text)
        for each in comparison.differences
    ]
    head = ("document", "label", "A says", "B says", "A's p", "B's p", "text")
    only = f"only A is right on {counted(comparison.only[0], 'document')}, only B on {comparison.only[1]:,}"
    lines = [
        *(
            f"{name}: {_run(*of)}"
            for name, of in zip("AB", zip(comparison.runs, comparison.shots, strict=True), strict=True)
        ),
        f"{escaping.line(comparison.where)}, {counted(a.documents, 'document')}",
        "",
        figures,
        terminal.wrapped(f"{only}: {verdict}"),
    ]
    if rows:
        lines += ["", "largest differences in the probability (p) of the document's own label:", ""]
        columns = dict(zip(head, zip(*rows, strict=True), strict=True))
        lines.append(fitted(columns, right=("A's p", "B's p"), cut="text"))
    return "\n".join(lines)
