"""Parameters of STAT, with the paper's values where it gives them (arXiv 2510.10023)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synth.engine import FlowParams

__all__ = ["Params"]

Arm = Literal[
    "faithful",
    "fixed",
    "control-uniform",
    "control-shuffled",
    "control-random",
    "control-pool",
    "control-format",
    "control-embedding",
    "control-embed-syn",
    "control-none",
]


class Params(FlowParams):
    """What `with:` may hold in a STAT flow file."""

    arm: Arm = "fixed"
    """`faithful`: as published, without replay. `fixed`: with replay, a fallback for scarce skills,
    labels by majority, and without what copies a reference, is rewritten wrongly, or was called right
    by the teacher.
    `control-uniform`: skills drawn uniformly instead of by the profile.
    `control-shuffled`: the missing-skill labels swapped among the failed questions.
    `control-random`: every missing-skill label replaced by one drawn from the catalogue.
    `control-pool`: pool questions at large, rewritten, whatever was failed (the paper's MATH-Augment).
    `control-format`: answers swapped among the questions of a family.
    `control-embedding`: the failed questions' nearest pool questions, whatever their skills.
    `control-embed-syn`: new questions like the failed one and its nearest, without a word of skills.
    `control-none`: no training; the student is examined twice."""
    mode: Literal["sel", "syn"] = "syn"
    """`sel` draws training questions from the pool, `syn` has the teacher write new ones."""

    catalogue: str = "data"
    """Where the skills come from: `data` (the questions' own), `teacher` (made from the pool), or a
    YAML file, subject -> list of skills. The paper takes one with a list for each subject of MATH."""
    catalogue_sample: int = Field(default=200, gt=0)
    """Pool questions the teacher names skills for when it makes the catalogue. Not in the paper."""
    catalogue_size: int = Field(default=20, gt=0)
    """Most skills of a subject in a catalogue made by the teacher. The paper's has 11 to 22."""
    most_skills: int = Field(default=5, gt=0)
    """Skills the teacher may name for one question: for the skill map, and for a failed one."""

    detect: Literal["verifier", "reward", "consistency", "length"] = "verifier"
    """How difficult questions are found. `verifier` compares with the known answer; the others need
    none: `reward` (the paper's) asks a process reward model in the role `reward`, `consistency`
    and `length` look at several answers."""
    tau1: float = Field(default=0.85, ge=0, le=1)
    """`reward`: difficult if the last step's score, or the mean over steps, is at most this."""
    tau2: float = Field(default=0.7, ge=0, le=1)
    """`reward`: difficult if the score of any earlier step is at most this."""
    reward_layout: Literal["turns", "prefixes", "marked"] = "turns"
    """What the reward model is shown. For `api: classify`, one call a step: `turns` puts the steps as
    user turns answered with `+`, as the paper's model wants them; `prefixes` the answer up to the
    step. For `api: pooling`, `marked`: all steps at once, each followed by `step_mark`."""
    step_mark: str = "<extra_0>"
    """`marked`: the text after which the reward model scores a step. Its model's, see its card."""
    samples: int = Field(default=5, gt=0)
    """`consistency` and `length`: answers to each question."""
    repeats: int = Field(default=2, gt=0)
    """`consistency`: difficult if the commonest answer comes fewer times than this."""
    words: int = Field(default=800, gt=0)
    """`length`: difficult if the answers have this many words or more on average."""
    sample_temperature: float = Field(default=0.7, ge=0)
    """Of the student where it answers several times. Not given in the paper."""
    answer_temperature: float | None = Field(default=None, ge=0)
    """Of the student where it answers once: by default 0.1 in the faithful arm (paper), else greedy."""

    difficult: int = Field(default=500, gt=0)
    """Difficult questions that training questions are made for: a uniform subset if there are more."""
    votes: int | None = Field(default=None, gt=0)
    """Times the teacher is asked for the missing skills; those a majority names are kept. By default 1 in
    the faithful arm (paper), else 3. With more than one, `temperature` applies."""
    min_count: int = Field(default=1, gt=0)
    """Questions a skill must be missing in to be trained. The paper has no such limit."""
    progress: bool = False
    """Draw skills by failures x how far the share failed fell since the round before (not in the
    paper): counts alone spend most on skills that cannot be learnt in the budget."""
    target_round: int = Field(default=2, gt=0)
    """First round whose profile is taken on `data.target`, where there is one (STAT-Con)."""

    draws: int | None = Field(default=None, gt=0)
    """Training questions for each (failed question, missing skill): by default 5 in STAT-Sel and 2
    in STAT-Syn."""
    min_items: int = Field(default=3, gt=0)
    """Pool questions a skill needs, or its subject's or a neighbouring skill's stand in for them. Not
    in the paper, nor in the faithful arm; as many as `references`."""
    rewrites: int = Field(default=3, ge=0)
    """STAT-Sel: solutions the teacher rewrites for each question drawn; 0 takes the pool's own."""
    references: int = Field(default=3, gt=0)
    """STAT-Syn: pool questions shown to the teacher who writes a new one."""
    solutions: int = Field(default=3, gt=0)
    """STAT-Syn: independent solutions of a new question."""
    agreement: int = Field(default=2, gt=0)
    """STAT-Syn: how many of them must come to the same answer."""
    neighbours: int = Field(default=5, gt=0)
    """`control-embedding`: pool questions for each failed question (the paper's Embed-Sel);
    `control-embed-syn`: new questions for each (its Embed-Syn), with `references` of the nearest in view."""
    examples: int = Field(default=9500, gt=0)
    """Training examples, replay included; a uniform subset is taken when more were made."""
    replay: float = Field(default=0.5, ge=0, lt=1)
    """Share of the training examples that are pool questions drawn without regard to the profile, as far
    as the pool has enough. Not in the paper: without it a small student loses skills it had. The
    faithful arm has none."""
    temperature: float = Field(default=0.7, ge=0)
    """Of the teacher's new questions and solutions."""
    max_tokens: int = Field(default=1024, gt=0)
    """Longest answer of the teacher."""

    @property
    def faithful(self) -> bool:
        """Whether the published method runs, with its faults."""
        return self.arm == "faithful"

    @property
    def label_votes(self) -> int:
        """Times a failed answer is labelled, by the arm where the flow file does not say."""
        return self.votes or (1 if self.faithful else 3)

    @property
    def student_temperature(self) -> float:
        """Of a single answer, by the arm where the flow file does not say."""
        if self.answer_temperature is not None:
            return self.answer_temperature
        return 0.1 if self.faithful else 0.0

    @property
    def by_likeness(self) -> bool:
        """Whether training questions are chosen by their nearness to the failed ones, and not by skill."""
        return self.arm in ("control-embedding", "control-embed-syn")

    @property
    def replay_share(self) -> float:
        """Replay as the arm has it."""
        return 0.0 if self.faithful else self.replay

    @property
    def per_pair(self) -> int:
        """Training questions for each pair, by the mode where the flow file does not say."""
        return self.draws or (5 if self.mode == "sel" else 2)

    @property
    def drops_called_right(self) -> bool:
        """Whether the teacher's verdict counts. The verifier knows better, where it is the detector."""
        return not self.faithful and self.detect != "verifier"
