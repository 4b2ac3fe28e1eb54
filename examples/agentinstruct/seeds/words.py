"""Small functions on words, each with doctests that can be run."""

VOWELS = "aeiou"


def initials(name: str) -> str:
    """The first letters of all words of a name, in capitals, each with a full stop.

    >>> initials("ada lovelace")
    'A.L.'
    >>> initials("Alan Mathison Turing")
    'A.M.T.'
    >>> initials("")
    ''
    """
    return "".join(f"{word[0].upper()}." for word in name.split())


def longest_word(sentence: str) -> str:
    """The longest word of a sentence; of several the one that comes first.

    >>> longest_word("the quick brown fox")
    'quick'
    >>> longest_word("a bb cc")
    'bb'
    >>> longest_word("one")
    'one'
    """
    return max(sentence.split(), key=len)


def alternate_case(text: str) -> str:
    """Letters in turn large and small; what is no letter is passed over.

    >>> alternate_case("hello")
    'HeLlO'
    >>> alternate_case("a b c")
    'A b C'
    >>> alternate_case("12ab")
    '12Ab'
    """
    large, result = True, ""
    for letter in text:
        if letter.isalpha():
            result += letter.upper() if large else letter.lower()
            large = not large
        else:
            result += letter
    return result


def squeeze(text: str) -> str:
    """Runs of the same letter replaced by one of it.

    >>> squeeze("aabbbc")
    'abc'
    >>> squeeze("bookkeeper")
    'bokeper'
    >>> squeeze("xyz")
    'xyz'
    """
    return "".join(letter for at, letter in enumerate(text) if not at or text[at - 1] != letter)


def is_palindrome(text: str) -> bool:
    """Whether the letters of a text read the same from both ends.

    >>> is_palindrome("Never odd or even")
    True
    >>> is_palindrome("palindrome")
    False
    >>> is_palindrome("")
    True
    """
    letters = [letter.lower() for letter in text if letter.isalpha()]
    return letters == letters[::-1]


def caesar(text: str, shift: int) -> str:
    """Small letters moved on in the alphabet by a number of places, from z on to a.

    >>> caesar("abc", 1)
    'bcd'
    >>> caesar("xyz", 3)
    'abc'
    >>> caesar("hello there", 13)
    'uryyb gurer'
    """
    return "".join(chr((ord(c) - 97 + shift) % 26 + 97) if "a" <= c <= "z" else c for c in text)


def word_lengths(sentence: str) -> dict[int, int]:
    """How many words there are of each length.

    >>> word_lengths("to be or not to be")
    {2: 5, 3: 1}
    >>> word_lengths("alone")
    {5: 1}
    >>> word_lengths("")
    {}
    """
    counts: dict[int, int] = {}
    for word in sentence.split():
        counts[len(word)] = counts.get(len(word), 0) + 1
    return dict(sorted(counts.items()))


def camel_to_snake(name: str) -> str:
    """A name in camel case with underscores instead of capitals.

    >>> camel_to_snake("parseHtmlPage")
    'parse_html_page'
    >>> camel_to_snake("Page")
    'page'
    >>> camel_to_snake("done")
    'done'
    """
    parts = [f"_{letter.lower()}" if letter.isupper() else letter for letter in name]
    return "".join(parts).removeprefix("_")
