"""docs/reference.md is what the code gives."""

from __future__ import annotations

import subprocess
import sys

from tests.make_reference import PAGE


def test_the_page_is_up_to_date() -> None:
    """In a fresh process: plug-ins that other tests have registered are not part of the page."""
    code = "import runpy, sys; sys.stdout.write(runpy.run_path('tests/make_reference.py')['reference']())"
    fresh = subprocess.run(
        [sys.executable, "-c", code], cwd=PAGE.parents[1], capture_output=True, text=True, check=True
    )
    assert PAGE.read_text() == fresh.stdout, "run: python tests/make_reference.py"


def test_it_has_every_verb_key_and_part() -> None:
    from gancli.core import registry
    from gancli.report import catalog

    text = PAGE.read_text()
    for key in catalog.configuration():
        assert f"| `{key}` |" in text
    for kind in registry.kinds():
        for name, cls in registry.parts(kind).items():
            assert f"#### {kind} {name}\n" in text or not cls.__module__.startswith("gancli.")
    assert "| `--epochs <float>` | Number of epochs. | `stop.epochs` |" in text
