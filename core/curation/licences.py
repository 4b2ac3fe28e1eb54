"""What the licences of the rows of one data set mean together.

A small table of what common licences ask for; it reads names, not contracts, and is no legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

from synth.records import Sample

__all__ = ["Terms", "conflicts", "incompatible", "terms_in", "terms_of"]

Terms = Literal[
    "public",
    "free",
    "share-alike",
    "non-commercial",
    "no-derivatives",
    "no-rivals",
    "own-family",
    "named",
    "inherited",
    "unstated",
    "unknown",
]
"""`public` asks for nothing, `free` for attribution at most, `share-alike` that the whole be under it too.
`no-rivals` to `inherited` are what makers of models ask of those who train on their output."""
UNSTATED = "unstated"
FREE = re.compile(
    r"(?:APACHE|MIT|BSD|ISC|ZLIB|PYTHON|PSF|CC-BY|ODC-BY|CDLA-PERMISSIVE|AFL|ECL|POSTGRESQL|UPL|MS-PL|OGL)(?:-[\d.]+.*|-.*CLAUSE.*)?"
)
PUBLIC = re.compile(r"(?:CC0|CC-0|UNLICENSE|PDDL|PUBLIC-?DOMAIN|0BSD|WTFPL)(?:-.*)?")
SHARE_ALIKE = re.compile(r"(?:A?GPL|LGPL|MPL|EUPL|ODBL|GFDL|CDLA-SHARING|OSL|EPL)(?:[-V\d].*)?")
MAKERS: tuple[tuple[Terms, re.Pattern[str]], ...] = (
    ("no-rivals", re.compile(r"(?:OPENAI|ANTHROPIC|GEMINI-API)(?:-TERMS.*)?")),
    ("own-family", re.compile(r"(?:META-)?LLAMA-?(?:2|3|3\.0)(?:-COMMUNITY.*)?")),
    ("named", re.compile(r"(?:META-)?LLAMA-?3\.[123](?:-COMMUNITY.*)?")),
    ("inherited", re.compile(r"GEMMA(?:-TERMS.*)?")),
)
"""Terms that say something of training on what a model writes. No others are in the table."""
RESTRICTED: tuple[Terms, ...] = ("non-commercial", "no-rivals", "own-family")


def terms_of(licence: str) -> Terms:
    """What kind of licence, or of terms, a name stands for (SPDX names, the hub's, and what people write)."""
    name = re.sub(r"[\s_]+", "-", licence.strip().upper())
    parts = name.split("-")
    if name in ("", UNSTATED.upper()):
        return "unstated"
    if "ND" in parts:
        return "no-derivatives"
    if "NC" in parts or "NONCOMMERCIAL" in name.replace("-", ""):
        return "non-commercial"
    if "SA" in parts or SHARE_ALIKE.fullmatch(name):
        return "share-alike"
    if PUBLIC.fullmatch(name) or name == "UNCONDITIONAL":
        return "public"
    for kind, pattern in MAKERS:
        if pattern.fullmatch(name):
            return kind
    return "free" if FREE.fullmatch(name) else "unknown"


def terms_in(sample: Sample) -> list[str]:
    """The terms of the models that had a part in a sample, each once; `unstated` for those without."""
    models = dict.fromkeys(call.model for call in sample.lineage.calls)
    return list(dict.fromkeys(sample.terms.get(name) or UNSTATED for name in (*models, *sample.terms)))


def conflicts(licences: Mapping[str, int], terms: Mapping[str, int] | None = None) -> list[str]:
    """What to know before the rows of these licences are passed on together, which were made with models
    under these terms (both with their numbers)."""
    kinds = {name: terms_of(name) for name in licences}
    found = []
    for kind, meaning in (OF_MODELS | MEANINGS).items():
        rows = [f"{name} ({licences[name]})" for name, of in kinds.items() if of == kind]
        if rows and (kind == "no-derivatives" or len(licences) > 1):
            found.append(f"{', '.join(rows)}: {meaning}")
    return [*found, *_of_models(terms or {}), *incompatible({**licences, **(terms or {})})]


def _of_models(terms: Mapping[str, int]) -> list[str]:
    """What makers of models ask of those who pass on, or train on, what these wrote."""
    found = []
    for kind, meaning in (MEANINGS | OF_MODELS).items():
        rows = [f"{name} ({count})" for name, count in terms.items() if terms_of(name) == kind]
        if rows:
            found.append(f"models under {', '.join(rows)}: {meaning}")
    return found


def incompatible(licences: Collection[str]) -> list[str]:
    """Licences and terms that cannot all be met by one data set."""
    kinds = {name: terms_of(name) for name in licences}
    shared = [name for name, kind in kinds.items() if kind == "share-alike"]
    closed = [name for name, kind in kinds.items() if kind in RESTRICTED]
    sharing_closed = [name for name in closed if "SA" in re.split(r"[\s_-]", name.upper())]
    bound = list(dict.fromkeys(map(_family, [*shared, *sharing_closed])))
    found = [f"{name} allows no derived works" for name, kind in kinds.items() if kind == "no-derivatives"]
    if shared and closed:
        why = FORBIDS[kinds[closed[0]]]
        found.append(f"{shared[0]} wants the whole under its terms, and {closed[0]} forbids {why}")
    elif len(bound) > 1:
        found.append(f"{' and '.join(bound)} each want the whole under their own terms")
    return found


MEANINGS: dict[Terms, str] = {
    "non-commercial": "those with NC allow no commercial use of the whole",
    "share-alike": "the whole has to be passed on under the same terms",
    "no-derivatives": "nothing made from it may be passed on",
    "unknown": "not a licence of the table; read its terms",
    "unstated": "write licence: under each data source to settle what is unstated",
}
OF_MODELS: dict[Terms, str] = {
    "no-rivals": "nothing may be trained on what they wrote that competes with their makers' models",
    "own-family": "what they wrote may improve no other language model than theirs",
    "named": "a model trained on what they wrote has to bear their name in front of its own",
    "inherited": "a model trained on what they wrote may fall under their terms itself",
    "unknown": "not terms of the table; read them",
    "unstated": "it is not known what may be done with what they wrote; write terms: under their roles",
}
FORBIDS: dict[Terms, str] = {
    "non-commercial": "commercial use of it",
    "no-rivals": "to train rivals of its maker's models on it",
    "own-family": "to improve other models with it",
}


def _family(name: str) -> str:
    """A licence without its version."""
    return re.sub(r"[-\s_]?V?\d.*$", "", name.strip().upper())
