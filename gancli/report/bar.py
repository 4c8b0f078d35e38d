"""The bar while training: epoch, step, losses, speed, time left."""

from __future__ import annotations

import math

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text


class Field(ProgressColumn):
    """A number of the task's fields, behind its name."""

    def __init__(self, name: str, form: str, title: str = "") -> None:
        super().__init__()
        self.name, self.form, self.title = name, form, title

    def render(self, task: Task) -> Text:
        value = task.fields.get(self.name)
        shown = "-" if value is None or math.isnan(value) else format(value, self.form)
        return Text.assemble((f"{self.title or self.name} ", "dim"), shown)


def training_bar(console: Console, total: int, done: int) -> tuple[Progress, TaskID]:
    """A bar over the images of a run, not yet started."""
    bar = Progress(
        Field("epoch", ".1f"),
        BarColumn(bar_width=24),
        Field("step", ","),
        Field("d_loss", ".3f"),
        Field("g_loss", ".3f"),
        Field("rate", ",.0f", "images/s"),
        TextColumn("[dim]left"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
    return bar, bar.add_task("training", total=total, completed=done)
