"""Draw the kept results as a PNG: a panel a figure, a bar a subject, medians of rounds with spread.

Run in an environment of its own, which holds matplotlib: ``plot.py FOLDER PICTURE``, with
``bench.json`` and ``growth.json`` in the folder.
"""

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLUMNS = 3
OURS, OTHERS = "#2a6f97", "#a9b4c2"


def draw(folder: Path, target: Path) -> None:
    """Read the samples in ``folder`` and write the picture to ``target``."""
    drawn = [*_figures(folder / "bench.json"), *_figures(folder / "growth.json", per_table=1)]
    if not drawn:
        return
    rows = -(-len(drawn) // COLUMNS)
    canvas, panels = plt.subplots(rows, COLUMNS, figsize=(14, 2.2 * rows), squeeze=False)
    for panel, (title, figure) in zip(panels.flat, drawn, strict=False):
        _bars(panel, title, figure)
    for panel in panels.flat[len(drawn) :]:
        panel.set_visible(False)
    canvas.tight_layout()
    canvas.savefig(target, dpi=100)


def _figures(kept: Path, per_table: int | None = None) -> Iterator[tuple[str, Any]]:
    """The first figures of each table that have something to compare, with a title each."""
    if not kept.is_file():
        return
    for title, figures in json.loads(kept.read_text())["reports"].items():
        compared = [figure for figure in figures if len(figure["samples"]) > 1]
        for figure in compared[:per_table]:
            what = figure["name"] if per_table is None else f"{title}: {figure['name']}"
            yield f"{what}\n[{figure['unit']}], {figure['better']} is better", figure


def _bars(panel: Any, title: str, figure: Any) -> None:
    subjects = list(figure["samples"])
    rounds = [
        [statistics.median(values) for values in figure["samples"][subject].values()]
        for subject in subjects
    ]
    middles = [statistics.median(values) for values in rounds]
    low = [middle - min(values) for middle, values in zip(middles, rounds, strict=True)]
    high = [max(values) - middle for middle, values in zip(middles, rounds, strict=True)]
    ours = [subject for subject in subjects if "streamdev" in subject] or subjects
    colors = [OURS if subject in ours else OTHERS for subject in subjects]
    panel.barh(subjects, middles, xerr=[low, high], color=colors, ecolor="#555", capsize=3)
    panel.invert_yaxis()
    if min(middles) > 0 and max(middles) / min(middles) > 30:
        panel.set_xscale("log")
        panel.set_xlim(left=min(middles) / 3)  # so that the shortest bar is one
    panel.set_title(title, fontsize=8)
    panel.tick_params(labelsize=7)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
