"""Words that may stand for one another in most sentences, each pair of the same form."""

from __future__ import annotations

__all__ = ["SYNONYMS"]

_PAIRS = (
    "begins starts, begin start, ends finishes, shows displays, show display, shown displayed, "
    "makes creates, made created, keeps retains, kept retained, often frequently, quickly rapidly, "
    "usually normally, allows permits, allow permit, allowed permitted, needs requires, need require, "
    "helps assists, help assist, chosen selected, chooses selects, choose select, gets receives, "
    "large big, larger bigger, largest biggest, little small, error mistake, errors mistakes, "
    "whole entire, wrong incorrect, right correct, enough sufficient, almost nearly, "
    "quick fast, hard difficult, easy simple, easier simpler, answers replies, answer reply, "
    "question query, questions queries, contains holds, contain hold, uses employs, "
    "changes alters, change alter, changed altered, begun started, removes deletes, remove delete, "
    "removed deleted, finds discovers, found discovered, tells informs, says states, said stated, "
    "looked gazed, asked inquired, replied answered, seemed appeared, seems appears, "
    "happens occurs, happen occur, happened occurred, returns yields, gives provides, give provide, "
    "given provided, checks verifies, check verify, checked verified, writes records, "
    "different distinct, separate distinct, important essential, typically normally, "
    "several various, many numerous, immediately instantly, purpose aim, method way, "
    "methods ways, part portion, parts portions, list listing, lists listings, place spot, "
    "builds constructs, build construct, built constructed, explains describes, explain describe, "
    "therefore hence, however nevertheless, about concerning, currently presently"
)
SYNONYMS: dict[str, str] = dict(pair.split() for pair in (part.strip() for part in _PAIRS.split(",")))
"""Word -> another for it."""
