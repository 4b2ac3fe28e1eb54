"""The pair lint: what may be wrong with a preference pair, counted for every set of pairs.

A pair teaches whatever its two answers differ in. Where that is length, format or language,
it does not teach what it was made for. The lint looks and counts; a flow says what it drops.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz.distance import Levenshtein

from synth.curation.language import language_of
from synth.engine.flow import PairFault
from synth.records import Sample
from synth.verify.text import ANSWER, EDGE, boxed

__all__ = ["REFUSAL", "TOKENS", "PairLint", "faults", "leaks", "open_fence"]

LOPSIDED = 3.0
"""Times one answer may be as long as the other."""
BARE = 8
"""Words up to which an answer is a final answer as it stands."""
_TOKENS = r"<\|[A-Za-z_]+\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
TOKENS = re.compile(_TOKENS)
"""Of chat templates."""
MARKERS = re.compile(rf"{_TOKENS}|</?s>|^\s*#{{0,3}}\s*(?:Human|User|Assistant|System)\s*:", re.M)
"""These, and what may also be HTML or a dialogue that was asked for."""
REFUSAL = re.compile(
    r"\s*(?:i(?:['\u2019]m| am) (?:very |really |so )?sorry\b"
    r"|(?:sorry|unfortunately|i apologi[sz]e),?\s.{0,40}\bi (?:can|am|won|will not)"
    r"|i (?:can ?not|can['\u2019]t|won['\u2019]t|will not)\b"
    r"|i(?: am|['\u2019]m) (?:unable|not able)\b"
    r"|as an ai\b)",
    re.I,
)
"""How a refusal begins."""
SENTENCE = re.compile(r"[.;!?](?:\s|$)")
SCRIPTS = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "IDEOGRAPHIC": "CJK"}
SURE = 0.8
"""How sure the classifier has to be of both languages, 0..1."""
SEEN = 2000
"""Characters of an answer looked at for its script."""


@dataclass
class PairLint:
    """The lint of a set of pairs, those dropped among them."""

    pairs: int = 0
    found: Counter[str] = field(default_factory=Counter)
    """Pairs with a fault; a pair may have several."""
    edit_distance: float = 0.0
    """Sum over pairs of the share of characters to change to come from one answer to the other."""
    log_ratio: float = 0.0
    """Sum over pairs of the logarithm of the length ratio, chosen to rejected, in characters."""
    margins: list[float] = field(default_factory=list)
    """Score of the chosen answer minus that of the rejected one, of pairs whose verdicts have both."""

    def see(self, sample: Sample, delimiters: Sequence[str] = ()) -> list[PairFault]:
        """Take a pair in; returns what is wrong with it."""
        chosen, rejected = _text(sample.chosen), _text(sample.rejected)
        found = faults(sample, delimiters)
        self.pairs += 1
        self.found.update(found)
        self.edit_distance += Levenshtein.normalized_distance(chosen, rejected)
        self.log_ratio += math.log(max(1, len(chosen)) / max(1, len(rejected)))
        if (margin := _margin(sample)) is not None:
            self.margins.append(margin)
        return found

    def figures(self) -> dict[str, Any]:
        """For the journal and the data card; empty without pairs. The mean ratio is geometric."""
        if not self.pairs:
            return {}
        figures: dict[str, Any] = {
            "pairs": self.pairs,
            "found": dict(self.found.most_common()),
            "edit_distance": round(self.edit_distance / self.pairs, 4),
            "length_ratio": round(math.exp(self.log_ratio / self.pairs), 4),
        }
        if self.margins:
            figures["margin"] = round(sum(self.margins) / len(self.margins), 4)
        return figures


def faults(sample: Sample, delimiters: Sequence[str] = ()) -> list[PairFault]:
    """What is wrong with a pair, in the order of `PairFault`.

    `delimiters` are marks of the flow's own prompts that no answer should show.
    `meta["unfinished"]` names the sides that were cut off; `verdicts` named `chosen` and
    `rejected` are their scores.
    """
    chosen, rejected = _text(sample.chosen), _text(sample.rejected)
    asked = "\n".join(message["content"] for message in sample.prompt)
    lengths = sorted(max(1, len(text)) for text in (chosen, rejected))
    margin = _margin(sample)
    answers = (_answer(chosen), _answer(rejected))
    checks: dict[PairFault, bool] = {
        "identical": chosen.strip() == rejected.strip(),
        "same-answer": bool(answers[0]) and answers[0] == answers[1],
        "truncated": bool(sample.meta.get("unfinished")) or open_fence(chosen) or open_fence(rejected),
        "leaked": any(leaks(text, asked, delimiters) for text in (chosen, rejected)),
        "refused": REFUSAL.match(chosen) is not None,
        "language": _switched(chosen, rejected),
        "lopsided": lengths[1] > LOPSIDED * lengths[0],
        "reversed": margin is not None and margin <= 0,
    }
    return [name for name, wrong in checks.items() if wrong]


def _text(messages: Sequence[Any] | None) -> str:
    return "\n".join(message["content"] for message in messages or ())


def _answer(text: str) -> str:
    """The final answer where one is marked, or where there is nothing else."""
    marked = boxed(text) or SENTENCE.split(next(iter(ANSWER.findall(text)[-1:]), ""))[0]
    if not marked and len(text.split()) <= BARE:
        marked = text
    return " ".join(str(marked).casefold().split()).strip(EDGE)


def open_fence(text: str) -> bool:
    """Whether a block of code has no end."""
    return text.count("```") % 2 == 1


def leaks(text: str, asked: str, delimiters: Sequence[str], markers: re.Pattern[str] = MARKERS) -> bool:
    """Whether the text shows marks of a chat template or of the flow that the prompt does not have."""
    marks = [match[0].strip() for match in markers.finditer(text)] + [
        mark for mark in delimiters if mark in text
    ]
    return any(mark not in asked for mark in marks)


def _switched(one: str, other: str) -> bool:
    """Whether two texts are in different scripts, or surely in different languages."""
    if len({_script(text) for text in (one, other)} - {""}) > 1:
        return True
    languages = {name for name, sure in map(language_of, (one, other)) if name and sure >= SURE}
    return one != other and len(languages) > 1


def _script(text: str) -> str:
    """The script most letters are in, such as LATIN; empty without letters."""
    letters = (
        unicodedata.name(character, "").replace("-", " ").partition(" ")[0]
        for character in text[:SEEN]
        if character.isalpha()
    )
    counts = Counter(SCRIPTS.get(name, name) for name in letters)
    return counts.most_common(1)[0][0] if counts else ""


def _margin(sample: Sample) -> float | None:
    scores = {v.name: v.value for v in sample.verdicts if v.name in ("chosen", "rejected")}
    if len(scores) < 2 or any(isinstance(value, str) for value in scores.values()):
        return None
    return float(scores["chosen"]) - float(scores["rejected"])
