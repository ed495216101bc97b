"""Charts are drawn by a process of its own, and a chart that cannot be drawn is a table."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from shipmark.web.charts import drawing as module
from shipmark.web.charts.drawing import Drawing
from shipmark.web.charts.lead_times import lead_times
from shipmark.web.charts.specification import Specification, bars

Result = TypeVar("Result")
HANGS_AFTER_ONE = """
import sys
sys.stdin.readline()
print('{"answer": "drawn"}', flush=True)
while True:
    sys.stdin.readline()
"""
BARS = bars(title="T", text="t", values=[("a", 1), ("<b>", 2)], category="C", amount="A")


def drawing(use: Callable[[Drawing], Awaitable[Result]]) -> Result:
    """What someone gets of a drawing, which is closed afterwards."""

    async def run() -> Result:
        one = Drawing()
        try:
            return await use(one)
        finally:
            await one.close()

    return asyncio.run(run())


def test_a_chart_is_drawn_in_colours_of_the_page() -> None:
    svg = drawing(lambda one: one.svg(BARS.specification))
    assert svg is not None
    assert svg.startswith("<svg")
    assert 'fill="var(--series-1)"' in svg
    assert "style=" not in svg
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg


def test_what_cannot_be_drawn_is_none_and_the_next_is_drawn() -> None:
    async def use(one: Drawing) -> list[str | None]:
        wrong: Specification = {"mark": "no such mark", "encoding": 7}
        return [await one.svg(wrong), await one.svg(BARS.specification)]

    wrong, right = drawing(use)
    assert wrong is None
    assert right is not None


def test_a_process_that_ended_is_started_again() -> None:
    async def use(one: Drawing) -> list[str | None]:
        first = await one.svg(BARS.specification)
        await one.close()
        other = BARS.specification | {"height": 99}
        return [first, await one.svg(other)]

    assert None not in drawing(use)


def test_a_process_that_hangs_is_given_up_and_another_draws_the_next(tmp_path: Path) -> None:
    hangs_once = tmp_path / "hangs.py"
    hangs_once.write_text(HANGS_AFTER_ONE)

    async def use(one: Drawing) -> list[str | None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "COMMAND", (sys.executable, str(hangs_once)))
            patch.setattr(module, "PATIENCE", 0.1)
            drawn = [await one.svg(BARS.specification | {"height": n}) for n in (1, 2)]
        return [*drawn, await one.svg(BARS.specification)]

    first, hung, next_ = drawing(use)
    assert first == "drawn"
    assert hung is None
    assert next_ is not None
    assert next_.startswith("<svg")


def test_the_script_makes_no_functions_of_text_by_itself() -> None:
    script = drawing(lambda one: one.script())
    assert script is not None
    assert "window.vegaEmbed" in script


def test_lead_times_are_counted_in_steps() -> None:
    hours = [0.5, 1, 3, 4, 30, 24 * 400]
    chart = lead_times([timedelta(hours=one) for one in hours], title="Waited")
    counts = dict(chart.rows)
    assert counts == {
        "< 1 h": 1,
        "1–4 h": 2,
        "4–12 h": 1,
        "12–24 h": 0,
        "1–3 d": 1,
        "3–7 d": 0,
        "1–4 wk": 0,
        "> 4 wk": 1,
    }
    assert chart.text == "Waited: 6 pull requests, most of them 1–4 h."
