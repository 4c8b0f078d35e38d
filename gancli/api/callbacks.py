"""Callbacks of a training run: which events they receive, and how they stop it."""

from __future__ import annotations

from gancli.core.sinks import Sink


class Callback(Sink):
    """Base of callbacks. The methods do nothing; a subclass overrides those that it needs.

        class Stopper(gancli.Callback):
            def scalars(self, step, values):
                self.stop = values["d_loss"] < 0.01

    Methods: `begin(progress)`, `step(progress, logs)` after every step, `scalars(step, values)` every `intervals.log` steps,
    `samples(step, name, samples, recipe)` with new previews, `event(kind, **facts)` for epochs, validations, saves and the end,
    `end()`. An exception in a callback ends the training; the last checkpoint is intact.

    Attributes:
        stop: set to True to end the training after this step; the run is saved and can be resumed.
    """

    stop: bool = False
