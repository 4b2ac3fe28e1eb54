"""What stands between what a flow made and what a student learns from."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from synth.config.selection import Alignment, Embedder, Recipe
from synth.config.strict import Strict

__all__ = [
    "Action",
    "Balance",
    "Curate",
    "EmbeddingRule",
    "JudgeRules",
    "LanguageRule",
    "LengthRule",
    "Markers",
    "NearRule",
    "OverlapRule",
    "Private",
    "Repetition",
]

Action = Literal["drop", "mask", "off"]


class EmbeddingRule(Embedder):
    """Near-duplicates in meaning, by an embedding model: the same said in other words."""

    threshold: float = Field(default=0.95, gt=0, le=1)
    """Cosine from which two texts are alike, prompts and answers each. Models differ in what theirs mean."""


class SameQuestion(Embedder):
    """Held-out questions in other words, by an embedding model."""

    threshold: float = Field(default=0.9, gt=0, le=1)
    """Cosine from which a text asks the same as a held-out question. Models differ in what theirs mean."""
    numbers: bool = True
    """Both must hold the same numbers, in any order: tasks that differ in a number are two."""


class NearRule(Strict):
    """Near-duplicates: the prompts are alike, the answers are alike, and both hold the same numbers."""

    threshold: float = Field(default=0.9, gt=0, le=1)
    """Jaccard similarity of five-word shingles, as MinHash estimates it, from which texts are alike."""
    least: int = Field(default=20, ge=0)
    """Fewest words of an answer that is compared: a short one may be right for many alike questions."""
    embedding: EmbeddingRule | None = None
    """Compare meanings as well; `embedding: {}` asks the role `embedder`."""


class OverlapRule(Strict):
    """When a held-out question is inside other text."""

    whole: int = Field(default=20, gt=0)
    """Questions of up to so many words and marks are searched for as a whole: of a short one a few n-grams
    are nearly everything, and procedural ones differ in less."""
    words: int = Field(default=8, gt=1)
    """Words in a row that are compared together of longer ones (8 as in Tulu 3, arXiv 2411.15124). Of
    questions shorter than this only their repetition counts, not that a text holds them."""
    coverage: float = Field(default=0.6, gt=0, le=1)
    """Share of a long question's words that such runs in the text must cover. Tulu 3 has 0.5, at which a
    puzzle that is turned another way counts as the same."""
    common: int = Field(default=3, gt=1)
    """Runs in so many held-out questions belong to a template and count for none of them."""
    embedding: SameQuestion | None = None
    """Look for them in other words as well; `embedding: {}` asks the role `embedder`."""


class LengthRule(Strict):
    """Bounds of an answer's length, of a pair's preferred one; what is left out bounds nothing."""

    min_chars: int | None = Field(default=None, gt=0)
    max_chars: int | None = Field(default=None, gt=0)
    min_tokens: int | None = Field(default=None, gt=0)
    """In tokens of the student."""
    max_tokens: int | None = Field(default=None, gt=0)


class Repetition(Strict):
    """Shares of an answer that repeat, as Gopher's authors bounded them (arXiv 2112.11446, table A1)."""

    least: int = Field(default=50, ge=0)
    """Fewest words of an answer that is looked at; the bounds were made for whole documents."""
    lines: float = Field(default=0.3, gt=0, le=1)
    """Most lines that are repetitions."""
    line_chars: float = Field(default=0.2, gt=0, le=1)
    """Most characters in such lines."""
    top: tuple[float, float, float] = (0.2, 0.18, 0.16)
    """Most characters in the commonest n-gram, for n = 2, 3, 4."""
    repeated: tuple[float, float, float, float, float, float] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    """Most characters in n-grams that occur more than once, for n = 5 to 10."""


class LanguageRule(Strict):
    """Languages an answer may be in, by a small classifier (fastText's lid.176)."""

    allow: tuple[str, ...]
    """ISO 639-1 codes, such as `[en, de]`."""
    confidence: float = Field(default=0.6, gt=0, le=1)
    """How sure the classifier must be of another language before an answer is dropped."""
    least: int = Field(default=40, ge=0)
    """Fewest letters of an answer that is looked at; shorter ones are guesses."""

    @field_validator("allow")
    @classmethod
    def _codes(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [code for code in allow if not re.fullmatch(r"[a-z]{2,3}", code)]
        if wrong or not allow:
            raise ValueError(f"'{wrong[0] if wrong else ''}' is no language; write codes such as [en, de]")
        return allow


class Private(Strict):
    """What is done with what should be in no training set. `mask` puts `[EMAIL]` or the like there."""

    api_key: Action = "drop"
    """Keys and tokens of known services, and private keys."""
    card: Action = "drop"
    """Payment cards with a right check digit (Luhn)."""
    iban: Action = "drop"
    """Bank accounts with a right check sum."""
    email: Action = "mask"
    """Addresses, but not those of the domains that are reserved for examples."""
    phone: Action = "off"
    """Off, since numbers of many kinds look like one."""
    ip: Action = "off"
    """Public addresses of machines. Off, since version numbers look like one."""


class JudgeRules(Strict):
    """A judge that drops what it finds poor, if it agrees with people first."""

    gold: str
    """A jsonl file of answers that people judged: `prompt`, `answer`, `good` (true or false), and if known
    `by`, the model that wrote it."""
    role: str = "judge"
    """Who judges: a role under `models`."""
    min_score: int = Field(default=3, ge=1, le=5)
    """Least score of 1 to 5 that an answer is kept with; in the gold set it is what counts as good."""
    min_agreement: float = Field(default=0.4, ge=-1, le=1)
    """Least Cohen's kappa with the gold labels (0.41 begins `moderate`, Landis and Koch 1977). A judge
    under it drops nothing."""
    max_flips: float = Field(default=0.3, ge=0, le=1)
    """Most pairs it may turn about when their order is turned, before it may drop pairs."""
    max_tokens: int = Field(default=256, gt=0)


class Balance(Strict):
    """A cap on how many examples of one kind are kept."""

    by: str = "family"
    """`family`, `skill`, `model` (that wrote it), `meta.NAME`, or a verdict, such as a judge's `task`,
    `difficulty` or `quality`, or the recipe's `category`."""
    most: int = Field(gt=0)
    """Examples of each kind, a learner each; which of more are kept is drawn by the run's seed."""


class Markers(Strict):
    """What is known of a sample, written after its prompt in training and nowhere else."""

    by: tuple[str, ...] = Field(min_length=1)
    """`family`, `skill`, `meta.NAME`, or a verdict such as a judge's `quality`; a marker each."""
    drop_all: float = Field(default=0.5, ge=0, lt=1)
    """Share of samples without any: the student is asked so later. The paper's rates are not known."""
    drop_each: float = Field(default=0.2, ge=0, lt=1)
    """Share of the others' markers that are left out, each by itself."""


class Curate(Strict):
    """What is dropped or changed of a round's samples before the student learns from them; all is counted."""

    exact: bool = True
    """Drop what repeats the prompt and answers of another sample."""
    near: NearRule | None = NearRule()
    """Drop what nearly does; `null` turns it off."""
    decontaminate: tuple[str, ...] = ()
    """Further test sets beside the file's own held-out sources: names under `data`, paths, `hub:` ids."""
    overlap: OverlapRule | None = OverlapRule()
    """How a held-out question is found inside other text; `null` finds it only as a whole."""
    format: bool = True
    """Drop single answers that are empty, have an open code fence, or show tokens of a chat template."""
    private: Private = Private()
    refusals: bool = False
    """Drop answers that begin with a refusal."""
    length: LengthRule | None = None
    repetition: Repetition | None = None
    """Write `repetition: {}` for the published bounds."""
    language: LanguageRule | None = None
    judge: JudgeRules | None = None
    recipe: Recipe | None = None
    """Tag samples, keep the good ones, rebalance: `recipe: {}` for our bounds. It needs a judge."""
    alignment: Alignment | None = None
    """Of several answers to a prompt keep those most like the student's own: `alignment: {}`."""
    balance: Balance | None = None
    markers: Markers | None = None
    """Tell the student in training what a sample is: `markers: {by: [family, quality]}`."""

    @model_validator(mode="after")
    def _tags_need_who_gives_them(self) -> Curate:
        if self.recipe is not None and self.judge is None:
            raise ValueError("the recipe goes by a judge's scores; write judge: as well")
        for name in sorted(self.named_tags):
            if self.judge is None and name in ("task", "difficulty", "quality"):
                raise ValueError(f"'{name}' is what a judge says of a sample; write judge: as well")
            if self.recipe is None and name in ("category", "input_quality", "turns", "safe"):
                raise ValueError(f"'{name}' is a tag of the recipe; write recipe: as well")
        return self

    @property
    def named_tags(self) -> frozenset[str]:
        """What is balanced by, and what markers tell."""
        return frozenset(
            [*([self.balance.by] if self.balance else []), *(self.markers.by if self.markers else ())]
        )

    @property
    def embedders(self) -> tuple[Embedder, ...]:
        """Who embeds texts in the steps that are on."""
        rules = (self.overlap, self.near, self.alignment)
        return tuple(rule.embedding for rule in rules if rule is not None and rule.embedding is not None)

    @property
    def writers(self) -> tuple[str, ...]:
        """Roles that are asked in the steps that are on, those that embed not among them."""
        rules = (self.judge, self.recipe, self.alignment)
        return tuple(rule.role for rule in rules if rule is not None)

    def as_published(self) -> Curate:
        """For faithful arms: what papers do not do is off, unless it was written."""
        off = {"near": None, "format": False}
        return self.model_copy(
            update={key: no for key, no in off.items() if key not in self.model_fields_set}
        )
