"""What workers made, as the head takes it over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from synth.chat import Chat
from synth.engine.runner import Result, StageCounts
from synth.teachers.model import Model

__all__ = ["Taking"]


class Taking:
    """Takes results over: counts them, tells the session, and hears whether more may be made."""

    def __init__(
        self,
        counts: StageCounts,
        on_done: Callable[[Result], None],
        may_start: Callable[[], bool],
        models: Mapping[str, Chat],
    ) -> None:
        self.counts, self.stopped, self.quiet = counts, False, False
        self._on_done, self._may_start, self._models = on_done, may_start, models

    def take(self, payloads: list[bytes], tokens: dict[str, int]) -> None:
        for role, made in tokens.items():
            model = self._models.get(role)
            if isinstance(model, Model):
                model.tokens_made += made
        for payload in payloads:
            result = Result.load(payload)
            self.counts.seeds += 1
            self.counts.kept += len(result.samples)
            self.counts.rejected += len(result.rejections)
            self.counts.reasons.update(rejection.reason for rejection in result.rejections)
            if self.quiet:
                continue
            self.stopped = not self._may_start() or self.stopped
            self._on_done(result)
