"""The bar while training: epoch, step, losses, speed, time left."""

from __future__ import annotations

import math

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID
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


class Words(ProgressColumn):
    """A text of the task's fields, behind its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def render(self, task: Task) -> Text:
        return Text.assemble((f"{self.name} ", "dim"), str(task.fields.get(self.name, "-")))


def title(key: str) -> str:
    """What a loss is called: `loss/D` is d_loss."""
    net = key.removeprefix("loss/")
    return f"{net.lower()}_loss"


def training_bar(console: Console, progress: Progressed, unit: str) -> tuple[Progress, TaskID]:
    """A bar over the data of a run, not yet started, that fits a line of the terminal.

    On a narrow one the bar is shorter, then the step is left out, then the last losses.
    """
    losses = list(progress.losses)
    bar_width, step = 24, True
    while _width(losses, bar_width, step) > console.width:
        if bar_width > 6:
            bar_width = 10 if bar_width > 10 else 6
        elif step:
            step = False
        elif losses:
            losses.pop()
        else:
            break
    bar = Progress(
        Field("epoch", ".1f"),
        BarColumn(bar_width=bar_width),
        *([Field("step", ",")] if step else []),
        *(Field(key, ".3f", title(key)) for key in losses),
        Field("rate", ",.0f", f"{unit}/s"),
        Words("left"),
        console=console,
        transient=True,
    )
    return bar, bar.add_task("training", total=progress.total, completed=progress.images)


def _width(losses: list[str], bar_width: int, step: bool) -> int:
    """The columns that a line takes at most: epoch, bar, step, losses, images/s, time left."""
    return 12 + bar_width + 1 + (14 if step else 0) + sum(len(title(key)) + 9 for key in losses) + 17 + 5 + 8
