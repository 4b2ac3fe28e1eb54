"""Keys, cards, accounts and people's addresses in texts: found by their shape and their check digits.

The shapes of keys are those that their issuers give them so that scanners find them. What is reserved
for examples (RFC 2606, RFC 5737, the test cards) is nobody's and stays.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from synth.config.curation import Private
from synth.curation.step import Check, Fault, sides
from synth.records import Message, Sample, content_id

__all__ = ["Found", "by_private", "find"]

Kind = Literal["api_key", "card", "iban", "email", "phone", "ip"]
MASKS: dict[Kind, str] = {
    "api_key": "[KEY]",
    "card": "[CARD]",
    "iban": "[IBAN]",
    "email": "[EMAIL]",
    "phone": "[PHONE]",
    "ip": "[IP]",
}
_KEY = (
    ("AKIA", r"AKIA[0-9A-Z]{16}"),  # AWS
    ("ASIA", r"ASIA[0-9A-Z]{16}"),
    ("gh", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{50,}"),
    ("glpat-", r"glpat-[\w-]{20,}"),  # GitLab
    ("sk-", r"sk-(?:[0-9a-f]{32,}|(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{32,})"),  # OpenAI and the like
    ("hf_", r"hf_[A-Za-z0-9]{30,}"),
    ("AIza", r"AIza[\w-]{35}"),  # Google
    ("xox", r"xox[abprs]-[A-Za-z0-9-]{20,}"),  # Slack
    ("hooks.slack.com/", r"hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{20,}"),
    ("k_live_", r"[rs]k_live_[A-Za-z0-9]{20,}"),  # Stripe
    ("SG.", r"SG\.[\w-]{20,}\.[\w-]{30,}"),  # SendGrid
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-[\w-]{60,}"),
    ("AccountKey=", r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}"),  # Azure
    ("eyJ", r"eyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}"),  # JSON web tokens
    ("PRIVATE KEY", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?s:.*?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?"),
    ("ecret", r"\w*(?i:secret_?(?:access_?)?key)[\"']?\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}(?![\w/+])"),  # AWS
    ("://", r"[a-z][a-z+]{2,12}://[\w.-]+:[^\s:/@]{6,}@(?!localhost|127\.)[\w-]+(?:\.[\w-]+)+"),  # a password
)
"""What has to be in a text, literally, for the shape of a key that follows."""
KEYS = tuple((mark, re.compile(rf"(?<!\w)(?:{shape})")) for mark, shape in _KEY)
PLACEHOLDER = re.compile(r"example|your[-_ ]|:(?:password|passwd|secret|pass)@|xxxx|<|\$\{|\.{3}", re.I)
CARD = re.compile(
    r"\d(?<![\d.-].)(?:\d{14,15}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}|(?<=3)[47]\d\d([ -])\d{6}\2\d{5})"
    r"(?![\d.-]*\d)"
)
"""What can begin a match comes first in it, and what must not stand before after that: so it is quick."""
ISSUERS = re.compile(r"4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12}")
CARD_WORDS = re.compile(r"\b(?:cards?|visa|mastercard|amex|american express|credit|debit)\b", re.I)
"""What must stand in a text for a number without groups to be a card: one in ten passes the check digit."""
TEST_CARDS = (
    *("4111111111111111", "4242424242424242", "4012888888881881", "5555555555554444", "5105105105105100"),
    *("2223003122003222", "378282246310005", "371449635398431", "6011111111111117", "6011000990139424"),
)
IBAN = re.compile(r"[A-Z](?<!\w.)[A-Z]\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
EMAIL = re.compile(r"\b[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}\b")
NOBODYS = re.compile(
    r"(?:^|[.@])(?:example\.(?:com|org|net)|[\w-]+\.(?:example|test|invalid|local))$|^git@|^no-?reply@", re.I
)
PHONE = re.compile(
    r"(?<![\w.+])(?:\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}"
    r"|(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4})(?![\w-])"
)
"""With a country's code, or as in North America, where neither part begins with 0 or 1."""
FICTIONAL = re.compile(r"555\D?01\d\d$")
IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{1,4}:){3,7}:?[0-9a-fA-F:]{1,29})(?![\w.:]*\w)"
)


class Found(NamedTuple):
    """Where something private stands, from its first character to after its last."""

    kind: Kind
    start: int
    end: int


def find(text: str, kinds: Iterable[Kind] = tuple(MASKS)) -> list[Found]:
    """What is private in a text; what stands inside a find of an earlier kind is not found again."""
    found: list[Found] = []
    for kind in kinds:
        for match in _matches(kind, text):
            start, end = match.span()
            free = all(end <= one.start or start >= one.end for one in found)
            if free and SURE[kind](match[0], text):
                found.append(Found(kind, start, end))
    return sorted(found, key=lambda one: one.start)


def by_private(rule: Private) -> Check:
    """Drop or mask, as the rule says of each kind. Of what is dropped only a masked text is kept."""
    actions: dict[Kind, str] = {kind: getattr(rule, kind) for kind in MASKS}
    kinds = [kind for kind, action in actions.items() if action != "off"]

    def check(sample: Sample) -> Sample | Fault:
        seen = {one.kind for text in _texts(sample) for one in find(text, kinds)}
        if not seen:
            return sample
        masked = _masked(sample, kinds)
        dropped = [kind for kind in kinds if kind in seen and actions[kind] == "drop"]
        if dropped:
            return Fault(f"private-{dropped[0].replace('_', '-')}", "its text is masked here", masked)
        return masked

    return check


def _texts(sample: Sample) -> Iterator[str]:
    for messages in (sample.prompt, *sides(sample).values()):
        yield from (message["content"] for message in messages)
    yield from (value for value in sample.meta.values() if isinstance(value, str))


def _matches(kind: Kind, text: str) -> Iterator[re.Match[str]]:
    """What has the shape. Most texts have not even a mark of it, and looking for that is quick."""
    if kind == "api_key":
        for mark, pattern in KEYS:
            if mark in text:
                yield from pattern.finditer(text)
    elif kind != "email" or "@" in text:
        yield from PATTERNS[kind].finditer(text)


def _masked(sample: Sample, kinds: Sequence[Kind]) -> Sample:
    """The sample without what is private, made from the sample it was."""

    def cleaned(messages: list[Message] | None) -> list[Message] | None:
        return messages and [{**message, "content": _mask(message["content"], kinds)} for message in messages]

    names = ("prompt", "completion", "chosen", "rejected")
    texts = {name: cleaned(getattr(sample, name)) for name in names}
    meta = {
        key: _mask(value, kinds) if isinstance(value, str) else value for key, value in sample.meta.items()
    }
    lineage = sample.lineage.model_copy(update={"parents": (*sample.lineage.parents, sample.id)})
    identity = content_id([messages for messages in texts.values() if messages is not None])
    return sample.model_copy(update={**texts, "id": identity, "meta": meta, "lineage": lineage})


def _mask(text: str, kinds: Sequence[Kind]) -> str:
    parts, at = [], 0
    for one in find(text, kinds):
        parts += [text[at : one.start], MASKS[one.kind]]
        at = one.end
    return "".join([*parts, text[at:]])


def _key(text: str, around: str) -> bool:
    """Placeholders repeat a character or say what they are."""
    return PLACEHOLDER.search(text) is None and len(set(text)) > 12


def _card(text: str, around: str) -> bool:
    digits = re.sub(r"\D", "", text)
    grouped = digits != text or CARD_WORDS.search(around) is not None
    return grouped and digits not in TEST_CARDS and ISSUERS.fullmatch(digits) is not None and _luhn(digits)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _iban(text: str, around: str) -> bool:
    """ISO 13616: the country and check digits to the end, letters as numbers, modulo 97."""
    joined = text.replace(" ", "")
    turned = joined[4:] + joined[:4]
    return 15 <= len(joined) <= 34 and int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def _email(text: str, around: str) -> bool:
    return NOBODYS.search(text) is None


def _phone(text: str, around: str) -> bool:
    return sum(map(str.isdigit, text)) >= 10 and FICTIONAL.search(text) is None


def _ip(text: str, around: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


PATTERNS: dict[Kind, re.Pattern[str]] = {
    "card": CARD,
    "iban": IBAN,
    "email": EMAIL,
    "phone": PHONE,
    "ip": IP,
}
SURE: dict[Kind, Callable[[str, str], bool]] = {
    "api_key": _key,
    "card": _card,
    "iban": _iban,
    "email": _email,
    "phone": _phone,
    "ip": _ip,
}
