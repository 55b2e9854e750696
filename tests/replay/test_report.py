"""The report holds what ran, and the figure is drawn in both themes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.replay import report
from benchmarks.replay.gates import Ran, judge

Results = dict[str, Ran]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_an_arm_and_a_line_a_step(results: Results, tmp_path: Path) -> None:
    gates = judge(results, quick=False)
    report.write_lines(tmp_path, results, gates)
    arms = {line["arm"]: line for line in lines(tmp_path / "arms.jsonl")}
    assert list(arms) == list(results)
    fixed = arms["fixed"]
    assert fixed["reported"] == results["fixed"].started.reported
    assert fixed["step_0"]["largest_d"] == [1e-5] * 3
    assert {gate["name"] for gate in fixed["gates"]} == {"step 0 exact", "fixed clips as before", "the pin arrives"}  # type: ignore[attr-defined]
    assert fixed["left_out"] == ["gpu_memory_utilization"]
    assert "gpu_memory_utilization" not in fixed["engine_args"]  # type: ignore[operator]
    steps = lines(tmp_path / "steps.jsonl")
    assert len(steps) == sum(len(run.steps) for ran in results.values() for run in ran.runs)
    assert {"arm", "seed", "step", "kl", "digest"} <= set(steps[0])


def test_what_was_written_is_read_again(results: Results, tmp_path: Path) -> None:
    gates = judge(results, quick=False)
    report.write_lines(tmp_path, results, gates)
    again = report.load(tmp_path)
    assert judge(again, quick=False) == gates
    assert report.table(again, gates, "x") == report.table(results, gates, "x")


def test_every_row_of_a_table_has_the_cells_of_its_head(results: Results) -> None:
    text = report.table(results, judge(results, quick=False), "1 minute")
    width = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line


def test_the_table_says_what_is_inert_and_what_failed(results: Results) -> None:
    results["fixed"].started.reported["enable_prefix_caching"] = True
    text = report.table(results, judge(results, quick=False), "1 minute")
    assert "Inert here, so not shown: async_scheduling (false with and without the fix)" in text
    assert "| the pin arrives | fixed | failed | enable_prefix_caching: wanted false, the engine reports true" in text


def test_one_seed_has_no_contrasts(results: Results) -> None:
    results["old"] = results["old"]._replace(runs=results["old"].runs[:1])
    assert report.contrasts(results) == ["One seed has no interval."]


def test_arms_that_were_cut_short_are_not_averaged(results: Results) -> None:
    rows = "\n".join(report.over_the_run(results))
    assert "verl" not in rows and rows.count("0.18.1, the file after fix") == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([0.123456], "0.123"),
        ([1.0, 2.0], "1.5 ± 0.707"),
        ([3e-12], "< 1e-8"),
        ([0.0], "0"),
        ([float("nan")], ""),
    ],
)
def test_spreads(values: list[float], text: str) -> None:
    assert report.spread(values) == text


def test_the_figure_in_both_themes(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    from benchmarks.replay import figure

    written = figure.write(tmp_path, {name: results[name] for name in ("old", "as-it-comes", "fixed")})
    assert sorted(path.name for path in written) == [
        f"replay-{theme}.{kind}" for theme in ("dark", "light") for kind in ("gif", "png", "svg")
    ]
    light, dark = (image.open(tmp_path / f"replay-{theme}.png").convert("L") for theme in ("light", "dark"))
    assert light.getpixel((2, 2)) > 240 and dark.getpixel((2, 2)) < 40
    moving = image.open(tmp_path / "replay-light.gif")
    assert moving.n_frames > 5 and (tmp_path / "replay-light.gif").stat().st_size < 300_000


def test_what_lies_below_a_log_scale_is_drawn_at_its_floor(results: Results) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.replay import figure

    results["old"].runs[0].steps[0]["kl"] = -1e-10
    steps, low, _, _ = figure.band(results["old"].runs, "kl")
    assert (steps[0], low[0]) == (0, figure.LOGARITHMIC["kl"])
