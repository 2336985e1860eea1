"""What else is known when a probe is judged: the cells around its own, and what experiments of its pair met."""

from __future__ import annotations

from collections.abc import Mapping

from prober import hearsay, infer
from prober.classify import classify
from prober.controller.looking import Looking
from prober.joiner import Joiner
from prober.matrix import Matrix
from prober.observation import Observation
from prober.report import BYWAY
from prober.targets import Targets
from prober.verdict import Label, Verdict


class Surroundings:
    """Of one document. `runs` are the cells of each run under way."""

    def __init__(
        self, targets: Targets, matrix: Matrix, runs: Mapping[str, Matrix], joiner: Joiner, looking: Looking
    ) -> None:
        self.matrix, self.runs, self.joiner, self.looking = matrix, runs, joiner, looking
        self._tried = hearsay.Tried()
        self._zones = {one.name: one.zone for one in targets.targets} | {one.name: one.zone for one in targets.agents}
        self._blocks = tuple((agent.name, block) for agent in targets.agents for block in agent.pods)

    def verdict(self, o: Observation) -> Verdict:
        """What is said of a probe, with all that is known beside it."""
        key, verdict = (o.source, o.target), classify(o)
        silent, cell = infer.wanted(o, verdict), self.matrix.cells.get(key)
        if cell and (silent or verdict.label != Label.UNKNOWN):
            lately = [(one.sent, one.verdict) for one in cell.recent if one.probe != o.probe]
            verdict = hearsay.completed(verdict, o.sent, lately, self._tried.of(key))
        return infer.infer(o, verdict, self.around(o)) if silent else verdict

    def tried(self, o: Observation, verdict: Verdict) -> None:
        """A handshake of an experiment; what an error said of it may be so of the pair's silent probes."""
        if hearsay.is_told(verdict) and not o.run.startswith(BYWAY):
            self._tried.add(key := (o.source, o.target), o.sent, verdict)
            self.name_the_silent(key)

    def name_the_silent(self, key: tuple[str, str]) -> None:
        """An error was told of one probe of a pair: those of which nobody told are looked at once more."""
        for one in self.matrix.cells[key].recent if key in self.matrix.cells else ():
            if hearsay.is_silent(one.verdict):
                self.joiner.judge_again(one.probe)

    def around(self, o: Observation) -> infer.Context:
        """The cells that say something of this probe's time: passes sent after it or in the same run, failures of late.

        A failure counts from shortly before it: what fails now may have been found out a probe earlier.
        """
        cells: list[infer.Neighbour] = []
        for matrix, since in ((self.matrix, o.sent), (self.runs.get(o.run), float("-inf"))):
            cells += [
                infer.Neighbour(one.source, one.target, one.verdict)
                for one in (matrix.around(o.source, o.target, since) if matrix else ())
                if one.sent >= (since if one.verdict.label.passes else since - infer.FAILED_OF_LATE)
            ]
        told = self.looking.bench.byways.reading((o.source, o.target), o.sent)
        return infer.Context(tuple(cells), self._zones, self._blocks, self.matrix.asked(o.source, o.target), told)
