"""The figure of a replay, light and dark, as PNG, SVG and a small animation. Needs matplotlib and pillow."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

from benchmarks.replay.arms import AS_IT_COMES, FIXED, OLD
from benchmarks.replay.gates import Ran
from benchmarks.replay.loop import Run

PANELS = {
    "clip_rate": "clip rate",
    "kl": "KL, nats a token (log scale)",
    "entropy": "entropy, nats",
    "reward": "reward",
    "mean_ratio": "mean ratio",
    "k3_without_lag": "k3 without lag (log scale)",
}
LOGARITHMIC = {"kl": 1e-5, "k3_without_lag": 1e-7}  # and the least that is drawn
ANIMATED = ("clip_rate", "reward")
FRAMES, FRAME_MS, HELD_MS, COLOURS = 28, 110, 2500, 32


class Theme(NamedTuple):
    """Colours of one figure."""

    paper: str
    ink: str
    lines: dict[str, str]


THEMES = {
    "light": Theme("#ffffff", "#24292f", {OLD: "#1f6fc4", AS_IT_COMES: "#cf3a32", FIXED: "#1a8f4c"}),
    "dark": Theme("#0d1117", "#d5dbe1", {OLD: "#6cb0f5", AS_IT_COMES: "#ff7b72", FIXED: "#56d38a"}),
}
STYLE = {OLD: "-", AS_IT_COMES: "-", FIXED: (0, (4, 2))}


def write(out: Path, results: Mapping[str, Ran]) -> list[Path]:
    """replay-light.png, .svg and .gif, and the same in dark."""
    written = []
    for name, theme in THEMES.items():
        with plt.rc_context(_settings(theme)):
            figure = draw(results, theme)
            for kind in ("png", "svg"):
                path = out / f"replay-{name}.{kind}"
                figure.savefig(path, dpi=110, metadata={"Date": None} if kind == "svg" else {"Software": None})
                written.append(path)
            plt.close(figure)
            path = out / f"replay-{name}.gif"
            animate(results, theme, path)
            written.append(path)
    return written


def _settings(theme: Theme) -> dict[str, Any]:
    return {
        "figure.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.ink,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "font.size": 9,
        "grid.alpha": 0.2,
        "svg.hashsalt": "replay",
    }


def label(name: str, ran: Ran) -> str:
    words = {OLD: "the file as it was", AS_IT_COMES: "the same file", FIXED: "the file after vllm-migrate fix"}
    return f"vLLM {ran.arm.reading.release}, {words[name]} (n = {len(ran.runs)})"


def draw(results: Mapping[str, Ran], theme: Theme) -> Any:
    """Six panels; a line is the mean over seeds, its band reaches from the least to the largest seed."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.4))
    for panel, (metric, title) in zip(axes.flat, PANELS.items(), strict=True):
        prepare(panel, metric, title)
        for name, ran in results.items():
            steps, low, mean, high = band(ran.runs, metric)
            line = panel.plot(steps, mean, color=theme.lines[name], linestyle=STYLE[name], lw=1.8)
            panel.fill_between(steps, low, high, color=line[0].get_color(), alpha=0.16, lw=0)
        panel.set_xlim(0, None)
        panel.set_xlabel("optimizer step")
    handles = [plt.Line2D([], [], color=theme.lines[n], linestyle=STYLE[n], lw=2) for n in results]
    labels = [label(name, ran) for name, ran in results.items()]
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
    loss = results[FIXED].arm.loss["kind"].upper()
    title = f"One configuration, {loss} on a tiny model, rollouts from real vLLM on a CPU. Line: mean; band: least to largest seed"
    figure.suptitle(title, x=0.012, ha="left", fontsize=11)
    figure.tight_layout(rect=(0, 0.045, 1, 0.99))
    return figure


def prepare(panel: Any, metric: str, title: str) -> None:
    panel.set_title(title)
    panel.grid(True)
    if metric in LOGARITHMIC:
        panel.set_yscale("log")
        panel.set_ylim(LOGARITHMIC[metric], 1)
    elif metric in ("clip_rate", "reward"):
        panel.set_ylim(-0.02, 1.02)


def band(runs: Sequence[Run], metric: str) -> tuple[list[int], list[float], list[float], list[float]]:
    """Steps, and the least, the mean and the largest over seeds; on a log scale what lies below its floor is at the floor."""
    floor = LOGARITHMIC.get(metric, float("-inf"))
    steps = [step for step in range(min(len(run.steps) for run in runs)) if metric in runs[0].steps[step]]
    values = [[max(floor, run.steps[step][metric]) for run in runs] for step in steps]
    return steps, [min(v) for v in values], [statistics.fmean(v) for v in values], [max(v) for v in values]


def animate(results: Mapping[str, Ran], theme: Theme, path: Path) -> None:
    """Clip rate and reward, drawn step by step; the last picture stays."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.7), dpi=90)
    drawn = []
    for panel, metric in zip(axes, ANIMATED, strict=True):
        prepare(panel, metric, PANELS[metric])
        panel.set_xlabel("optimizer step")
        for name, ran in results.items():
            steps, _, mean, _ = band(ran.runs, metric)
            panel.set_xlim(0, max(1, steps[-1]))
            (line,) = panel.plot([], [], color=theme.lines[name], linestyle=STYLE[name], lw=1.8)
            drawn.append((line, steps, mean))
    handles = [plt.Line2D([], [], color=theme.lines[n], linestyle=STYLE[n], lw=2) for n in results]
    words = {OLD: "as it was", AS_IT_COMES: "the same file", FIXED: "after fix"}
    labels = [f"vLLM {ran.arm.reading.release}, {words[name]}" for name, ran in results.items()]
    figure.legend(handles, labels, loc="lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.09, 1, 1))

    frames = []
    for number in range(1, FRAMES + 1):
        for line, steps, mean in drawn:
            upto = max(1, round(len(steps) * number / FRAMES))
            line.set_data(steps[:upto], mean[:upto])
        figure.canvas.draw()
        picture = Image.frombuffer("RGBA", figure.canvas.get_width_height(), figure.canvas.buffer_rgba())
        frames.append(picture.convert("RGB").quantize(COLOURS))
    plt.close(figure)
    durations = [FRAME_MS] * (FRAMES - 1) + [HELD_MS]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)
