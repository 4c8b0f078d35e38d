"""The bar while training: epoch, step, losses, speed, time left."""

from __future__ import annotations

import math

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from gancli.core.sinks import Progress as Progressed


class Field(ProgressColumn):
    """A number of the task's fields, behind its name."""

    def __init__(self, name: str, form: str, title: str = "") -> None:
        super().__init__()
        self.name, self.form, self.title = name, form, title

    def render(self, task: Task) -> Text:
        value = task.fields.get(self.name)
        shown = "-" if value is None or math.isnan(value) else format(value, self.form)
        return Text.assemble((f"{self.title or self.name} ", "dim"), shown)


def title(key: str) -> str:
    """What a loss is called: `loss/D` is d_loss."""
    net = key.removeprefix("loss/")
    return f"{net.lower()}_loss"


def training_bar(console: Console, progress: Progressed) -> tuple[Progress, TaskID]:
    """A bar over the data of a run, not yet started."""
    bar = Progress(
        Field("epoch", ".1f"),
        BarColumn(bar_width=24),
        Field("step", ","),
        *(Field(key, ".3f", title(key)) for key in progress.losses),
        Field("rate", ",.0f", "images/s"),
        TextColumn("[dim]left"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )
    return bar, bar.add_task("training", total=progress.total, completed=progress.images)
