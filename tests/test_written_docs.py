# SPDX-License-Identifier: Apache-2.0
"""Pages and plots that a script writes are as it writes them; the larq page shows what it runs."""

import importlib
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import qnn_hw
from scripts import plot_quantizers

DOCS = Path(__file__).resolve().parent.parent / "docs"
AGAIN = "python scripts/plot_quantizers.py"

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
PIXEL = 0.25
"""Largest distance between coordinates of the committed plot and the one drawn here: another processor's tanh and cosh
may differ in the last bits, which no eye sees."""


def parts(svg: str) -> tuple[str, np.ndarray]:
    """Text without its numbers, and the numbers."""
    return NUMBER.sub("#", svg), np.array([float(number) for number in NUMBER.findall(svg)])


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return {str(path.relative_to(DOCS)): text for path, text in plot_quantizers.files().items()}


def test_every_quantizer_has_section_and_plot(written: dict[str, str]) -> None:
    classes = plot_quantizers.quantizer_classes()
    assert {cls.__name__ for cls in classes} >= {"SteSign", "DoReFa", "FixedPoint"}
    for cls in classes:
        assert f"\n## {cls.__name__}\n" in written["quantizers.md"]
        assert f"img/quantizers/{cls.__name__}.svg" in written


def test_the_page_is_what_the_script_writes(written: dict[str, str]) -> None:
    assert (DOCS / "quantizers.md").read_text(encoding="utf-8") == written["quantizers.md"], f"run {AGAIN}"


def test_the_plots_are_what_the_script_draws(written: dict[str, str]) -> None:
    plots = {name for name in written if name.endswith(".svg")}
    committed = {f"img/quantizers/{path.name}" for path in (DOCS / "img" / "quantizers").iterdir()}
    assert committed == plots, f"run {AGAIN}"
    for name in sorted(plots):
        (text, numbers), (expected_text, expected) = parts((DOCS / name).read_text()), parts(written[name])
        assert text == expected_text and numbers.shape == expected.shape, f"{name} is not up to date; run {AGAIN}"
        assert np.abs(numbers - expected).max() <= PIXEL, f"{name} is not up to date; run {AGAIN}"


def test_plots_are_well_formed_and_stay_inside(written: dict[str, str]) -> None:
    for name, svg in written.items():
        if name.endswith(".svg"):
            drawing = ElementTree.fromstring(svg)
            assert (drawing.get("width"), drawing.get("height")) == ("720", "250")
            for element in drawing.iter("{http://www.w3.org/2000/svg}path"):
                points = re.findall(r"(-?[\d.]+),(-?[\d.]+)", element.get("d", ""))
                assert all(0 <= float(x) <= 720 and 0 <= float(y) <= 250 for x, y in points), f"{name}: {points}"


def test_the_plotted_gradient_is_the_formula() -> None:
    x, values, gradient = plot_quantizers.evaluate("ApproxSign()")
    assert np.array_equal(values, np.where(x < 0, -1, 1))
    assert np.allclose(gradient, np.where(np.abs(x) <= 1, 2 - 2 * np.abs(x), 0), atol=1e-6)


def larq_page() -> str:
    return (DOCS / "coming_from_larq.md").read_text(encoding="utf-8")


def test_the_new_side_of_the_comparison_is_the_script_that_runs() -> None:
    (difference,) = re.findall(r"^```diff\n(.*?)^```$", larq_page(), re.M | re.S)
    script = re.findall(r"^```python\n(.*?)^```$", larq_page(), re.M | re.S)[0]
    lines = [line for line in difference.splitlines() if not line.startswith("-")]
    assert "\n".join(line[1:] for line in lines) + "\n" == script
    removed = sum(line.startswith("-") for line in difference.splitlines())
    assert removed == 3 and "the three lines that change" in larq_page()


def test_every_name_on_the_larq_page_exists() -> None:
    own = re.findall(r"\blq((?:\.\w+)+)", larq_page().replace("lq.zoo` and its ImageNet", ""))
    assert own
    for dotted in set(own):
        thing: object = qnn_hw
        for name in dotted.strip(".").split("."):
            assert hasattr(thing, name), f"coming_from_larq.md: lq{dotted} does not exist"
            thing = getattr(thing, name)
    optimizers = importlib.import_module("qnn_hw.optimizers")
    assert {"Bop", "CaseOptimizer"} <= set(optimizers.__all__)
