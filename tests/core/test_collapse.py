"""The collapse watch sees repetition, narrowing, growth and kinder judges, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from synth.config import CollapseRules
from synth.errors import ConfigError
from synth.measure.collapse import Collapse, measure
from synth.measure.variety import distinct, spread, vendi
from synth.measure.vectors import word_vectors
from synth.records import Message, Sample, Verdict
from tests.core.test_round_rules import read, rounds
from tests.support.nights import load, place

WORDS = [f"w{n}" for n in range(500)]


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """Words as tokens."""
    words = Tokenizer(models.WordLevel({word: n for n, word in enumerate(["?", *WORDS])}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def sample(text: str, score: float = 0.5, asked: str = "q") -> Sample:
    facts = {"seed_id": "s", "flow": "f", "arm": "a", "round": 1}
    verdicts = (Verdict(by="judge", name="value", value=score), Verdict(by="judge", name="met", value=True))
    return Sample.sft([{"role": "user", "content": asked}], text, verdicts=verdicts, **facts)


def windows(begin: int, number: int, size: int = 20) -> list[str]:
    return [" ".join(WORDS[at : at + size]) for at in range(begin, begin + number * size, size)]


def write(path: Path, samples: Sequence[Sample]) -> Path:
    path.write_text("".join(f"{one.model_dump_json()}\n" for one in samples))
    return path


def test_distinct_is_the_published_formula(tokenizer: Path) -> None:
    """Of `a b a` over a vocabulary of V: 2 unigrams of 3, 2 bigrams of 2, 1 trigram of 1."""
    size = 501

    def share(unique: int, total: int) -> float:
        return unique / (size * (1 - (1 - 1 / size) ** total))

    expected = (share(2, 3) + share(2, 2) + share(1, 1)) / 3
    assert distinct(["w0 w1 w0"], tokenizer) == pytest.approx(expected)
    assert distinct(windows(0, 10), tokenizer) > 3 * distinct([windows(0, 1)[0]] * 10, tokenizer)
    assert distinct([""], tokenizer) == 0


def test_vendi_counts_different_texts() -> None:
    """One for texts all the same, their number for texts without a word in common."""
    assert vendi(word_vectors(["a b c"] * 5)) == pytest.approx(1)
    assert vendi(word_vectors(["a", "b", "c", "d"])) == pytest.approx(4)
    assert 1 < vendi(word_vectors(["a b", "a c", "a d"])) < 3


def test_a_round_is_held_against_the_first(tokenizer: Path, tmp_path: Path) -> None:
    """Repeats word for word and nearly, growth in length, and a mean score that rose, bools left out."""
    texts = windows(0, 10)
    first = [sample(text, 0.5) for text in texts]
    one = measure(first, earlier=[], first=None, tokenizer=tokenizer)
    assert (one.repeated, one.similar, one.length, one.length_drift) == (0, 0, 20, 0)
    assert (one.scores, one.inflation) == ({"judge: value": 0.5}, {})
    nearly = [f"{text} w499" for text in texts[:3]]
    new = windows(250, 4, size=40)
    later = [sample(text, 0.75) for text in (texts[9], *nearly, *new)]
    two = measure(later, earlier=[write(tmp_path / "s", first)], first=one, tokenizer=tokenizer)
    assert (two.repeated, two.repeated_exactly) == (0.5, 0.125)
    assert two.length_drift == pytest.approx((20 + 3 * 21 + 4 * 40) / 8 / 20 - 1)
    assert two.inflation == {"judge: value": 0.25}
    assert one.distinct_within is not None, "all answers are to one prompt"


def test_rules_say_what_is_beyond_them() -> None:
    """None is on by itself; each is told with its figure and limit, drift both ways."""
    found = Collapse(
        examples=10, distinct=0.5, vendi=3, vendi_change=-0.6, length=8, length_drift=-0.4, similar=0.2,
        repeated=0.3,
    )  # fmt: skip
    assert list(found.broken(CollapseRules())) == []
    rules = CollapseRules(
        min_distinct=0.6, max_length_drift=0.3, max_repeated=0.25, max_vendi_fall=0.5, max_similar=0.1
    )
    told = list(found.broken(rules))
    words = ("0.5", "-40%", "-60%", "20%", "30%")
    assert [word in text for word, text in zip(words, told, strict=True)] == [True] * 5


def test_a_kinder_judge_is_told_from_a_better_student() -> None:
    """A mean that rises with the exam is no inflation; one that rises alone is."""
    rules = CollapseRules(max_inflation=0.1)
    facts = {"examples": 1, "distinct": 1.0, "vendi": 1.0, "length": 1.0, "similar": 0.0}
    risen = {"judge: value": 0.2, "agreement: solutions": 0.05}
    alone = Collapse(**facts, inflation=risen, exam=0.4, exam_change=-0.02)
    (told,) = alone.broken(rules)
    assert told.startswith(
        "the mean of judge: value rose by more than 0.1 since round 1, and the exam did not"
    )
    better = alone.model_copy(update={"exam_change": 0.1})
    assert list(better.broken(rules)) == list(alone.broken(CollapseRules())) == []


def test_spread_is_the_mean_distance() -> None:
    """0 for texts all the same, 1 for texts without a word in common; one text has none."""
    assert spread(word_vectors(["a b c"] * 4)) == pytest.approx(0, abs=1e-6)
    assert spread(word_vectors(["a", "b", "c"])) == pytest.approx(1)
    assert spread(word_vectors(["a", "a", "b", "b"])) == pytest.approx(2 / 3)
    assert spread(word_vectors(["a"])) is None


def one_meaning(messages: Sequence[Message]) -> str:
    """A program that embeds: all texts say the same, but for those that it refuses."""
    return "I cannot" if messages[-1]["content"].endswith("right 3") else "[0.6, 0.8]"


def test_examples_are_compared_by_meaning_where_a_model_embeds(tmp_path: Path) -> None:
    """Four different texts of one meaning count as one; one whose vector is lost is left out."""
    rounds(tmp_path, ["test=.4"])
    by_words = read(tmp_path, "1/collapse.json")
    place(tmp_path / "again", ["test=.4"])
    rounds(
        tmp_path / "again",
        ["test=.4"],
        "models.embedder={program: 'tests.core.test_collapse:one_meaning'}",
        "collapse.embedding={}",
    )
    by_meaning = read(tmp_path / "again", "1/collapse.json")
    assert (by_words["compared_by"], by_meaning["compared_by"]) == ("words", "meaning")
    assert by_words["vendi"] > 1.5 and by_words["spread"] > 0.1
    assert (by_meaning["vendi"], by_meaning["spread"]) == pytest.approx((1, 0), abs=1e-6)
    with pytest.raises(ConfigError, match=r"there is no models\.embedder"):
        load(tmp_path / "plain.yaml", ["collapse.embedding={}"], None)
