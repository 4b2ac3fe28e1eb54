"""What the licences of the rows of one data set mean together.

A small table of what common licences ask for; it reads names, not contracts, and is no legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

__all__ = ["Terms", "conflicts", "incompatible", "terms_of"]

Terms = Literal["public", "free", "share-alike", "non-commercial", "no-derivatives", "unstated", "unknown"]
"""`public` asks for nothing, `free` for attribution at most, `share-alike` that the whole be under it too."""
UNSTATED = "unstated"
FREE = re.compile(
    r"(?:APACHE|MIT|BSD|ISC|ZLIB|PYTHON|PSF|CC-BY|ODC-BY|CDLA-PERMISSIVE|AFL|ECL|POSTGRESQL|UPL|MS-PL|OGL)(?:-[\d.]+.*|-.*CLAUSE.*)?"
)
PUBLIC = re.compile(r"(?:CC0|CC-0|UNLICENSE|PDDL|PUBLIC-?DOMAIN|0BSD|WTFPL)(?:-.*)?")
SHARE_ALIKE = re.compile(r"(?:A?GPL|LGPL|MPL|EUPL|ODBL|GFDL|CDLA-SHARING|OSL|EPL)(?:[-V\d].*)?")


def terms_of(licence: str) -> Terms:
    """What kind of licence a name stands for (SPDX names, the hub's, and what people write)."""
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
    if PUBLIC.fullmatch(name):
        return "public"
    return "free" if FREE.fullmatch(name) else "unknown"


def conflicts(licences: Mapping[str, int]) -> list[str]:
    """What to know before the rows of these licences (with their numbers) are passed on together."""
    kinds = {name: terms_of(name) for name in licences}
    found = []
    for kind, meaning in MEANINGS.items():
        rows = [f"{name} ({licences[name]})" for name, of in kinds.items() if of == kind]
        if rows and (kind == "no-derivatives" or len(licences) > 1):
            found.append(f"{', '.join(rows)}: {meaning}")
    return [*found, *incompatible(licences)]


def incompatible(licences: Mapping[str, int]) -> list[str]:
    """Licences whose terms cannot all be met by one data set."""
    kinds = {name: terms_of(name) for name in licences}
    shared = [name for name, kind in kinds.items() if kind == "share-alike"]
    closed = [name for name, kind in kinds.items() if kind == "non-commercial"]
    sharing_closed = [name for name in closed if "SA" in re.split(r"[\s_-]", name.upper())]
    bound = list(dict.fromkeys(map(_family, [*shared, *sharing_closed])))
    found = [f"{name} allows no derived works" for name, kind in kinds.items() if kind == "no-derivatives"]
    if shared and closed:
        found.append(
            f"{shared[0]} wants the whole under its terms, and {closed[0]} forbids commercial use of it"
        )
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


def _family(name: str) -> str:
    """A licence without its version."""
    return re.sub(r"[-\s_]?V?\d.*$", "", name.strip().upper())
