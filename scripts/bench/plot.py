"""Draw ``bench.json`` as a PNG: one panel a figure, one bar a subject, medians with spread.

Run in an environment of its own, which holds matplotlib: ``plot.py bench.json bench.png``.
"""

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def draw(source: str, target: str) -> None:
    """Read the samples of ``source`` and write the picture to ``target``."""
    measured = json.loads(Path(source).read_text())
    figures = {name: figure for name, figure in measured.items() if len(figure["samples"]) > 1}
    columns = 3
    rows = -(-len(figures) // columns)
    canvas, panels = plt.subplots(rows, columns, figsize=(13, 2.4 * rows), squeeze=False)
    for panel, (name, figure) in zip(panels.flat, figures.items(), strict=False):
        subjects = list(figure["samples"])
        samples = [figure["samples"][subject] for subject in subjects]
        middles = [statistics.median(values) for values in samples]
        low = [middle - min(values) for middle, values in zip(middles, samples, strict=True)]
        high = [max(values) - middle for middle, values in zip(middles, samples, strict=True)]
        colors = ["#2a6f97" if "streamdev" in subject else "#a9b4c2" for subject in subjects]
        panel.barh(subjects, middles, xerr=[low, high], color=colors, ecolor="#555", capsize=3)
        panel.invert_yaxis()
        if min(middles) > 0 and max(middles) / min(middles) > 30:
            panel.set_xscale("log")
        panel.set_title(f"{name} [{figure['unit']}], {figure['better']} is better", fontsize=9)
        panel.tick_params(labelsize=8)
    for panel in panels.flat[len(figures) :]:
        panel.set_visible(False)
    canvas.tight_layout()
    canvas.savefig(target, dpi=110)


if __name__ == "__main__":
    draw(*sys.argv[1:3])
