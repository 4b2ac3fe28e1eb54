"""Pages of numbered elements made of a text's own names, and the next step on them."""

from __future__ import annotations

import random
import re
from typing import Any

from synth.teachers.bookworm.reading import names, nouns

__all__ = ["TEXTS", "WAYS", "WRITERS", "look_alike"]

Said = dict[str, Any]
STEP = "What is the next step?"


def documentation_site(text: str) -> str:
    """A page of documentation whose links are the text's headings, terms and functions."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    functions = re.findall(r"^(?:async )?(?:def|class) (\w+)", text, re.MULTILINE)
    known = dict.fromkeys([*headings, *functions, *names(text), *nouns(text)])
    entries = [name for name in known if len(name) < 40 and not re.search(r"['\"`\[*]", name)][:9]
    if len(entries) < 5:
        raise ValueError("the text names too few things for a page")
    rng = random.Random(text)
    lines = ["link 'Home'", "search box", "button 'Search'"]
    rest = [f"link '{entry}'" for entry in entries[1:]]
    versions = "; ".join(f"{n}.{rng.randint(0, 9)}" for n in range(1, 4))
    rest += [f"select 'Version' with {versions}", "button 'Report a mistake'"]
    rng.shuffle(rest)
    shown = [f"[{number}] {line}" for number, line in enumerate([*lines, *rest], 1)]
    return "\n".join([f"Page: {entries[0]}", *shown])


def _links(page: str) -> list[str]:
    found = re.findall(r"^\[\d+\] link '(.+)'$", page, re.MULTILINE)
    return [name for name in found if name != "Home"]


def find_the_link(text: str) -> list[Said]:
    """A goal that one link leads to."""
    rng = random.Random(text)
    ways = ("Open the entry on {}.", "Read what is said about {}.", "Go to the page on {}.")
    chosen = rng.sample(_links(text), min(2, len(_links(text))))
    return [{"instruction": rng.choice(ways).format(name), "page": text} for name in chosen]


def fill_a_field(text: str) -> list[Said]:
    """A search for one of the page's subjects."""
    rng = random.Random(text)
    chosen = rng.sample(_links(text), min(2, len(_links(text))))
    return [{"instruction": f'Search the site for "{name}".', "page": text} for name in chosen]


def choose_an_option(text: str) -> list[Said]:
    """Another version of the page."""
    versions = re.findall(r"select 'Version' with (.+)", text)
    listed = versions[0].split("; ")[:2] if versions else []
    return [{"instruction": f"Show version {version} of this page.", "page": text} for version in listed]


def already_reached(text: str) -> list[Said]:
    """The page that is open."""
    title = re.match(r"Page: (.+)", text)
    return [{"instruction": f'Have the page "{title[1]}" open.', "page": text}] if title else []


def look_alike(task: str) -> str:
    """A line to be added that resembles what the goal wants; nothing where there is none."""
    goal = re.search(r"Goal: (?:Open the entry on|Read what is said about|Go to the page on) (.+)\.", task)
    numbers = [int(number) for number in re.findall(r"^\[(\d+)\]", task, re.MULTILINE)]
    return f"[{max(numbers) + 1}] link '{goal[1]}, older edition'" if goal and numbers else ""


def _step(text: str, task: str) -> Said:
    """The element that the goal names."""
    goal = re.search(r"^Goal: (.+)$", task, re.MULTILINE)
    wanted = goal[1] if goal else ""
    if found := re.match(r'Search the site for "(.+)"\.', wanted):
        return _on(task, "search box", "type", found[1])
    if found := re.match(r"Show version (.+) of this page\.", wanted):
        return _on(task, "select 'Version'", "select", found[1])
    found = re.match(r'Have the page "(.+)" open\.', wanted)
    if found and f"Page: {found[1]}\n" in task:
        return {"reason": "The page is open.", "action": "stop"}
    if found := re.match(r"(?:Open the entry on|Read what is said about|Go to the page on) (.+)\.", wanted):
        return _on(task, f"link '{found[1]}'", "click")
    return {"reason": "The page has nothing for this.", "answerable": False}


def _on(task: str, element: str, action: str, value: str = "") -> Said:
    place = re.search(rf"^\[(\d+)\] {re.escape(element)}", task, re.MULTILINE)
    if not place:
        return {"reason": "The page has no such element.", "answerable": False}
    return {"action": action, "element": int(place[1]), "value": value}


TEXTS = {"documentation_site": documentation_site}
WRITERS = {
    "find_the_link": find_the_link,
    "fill_a_field": fill_a_field,
    "choose_an_option": choose_an_option,
    "already_reached": already_reached,
}
WAYS = (("Page: ", _step),)
