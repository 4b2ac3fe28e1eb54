"""Small functions with examples that can be run: held out of training."""

from __future__ import annotations


def digits(number: int) -> int:
    """How many digits a number has.

    >>> digits(1200)
    4
    >>> digits(7)
    1
    """
    return len(str(number))


def vowels(word: str) -> int:
    """How many of the letters are vowels.

    >>> vowels("banana")
    3
    >>> vowels("rhythm")
    0
    """
    return sum(letter in "aeiou" for letter in word)


def doubled(numbers: list[int]) -> list[int]:
    """Every number twice as large.

    >>> doubled([1, 4])
    [2, 8]
    >>> doubled([10, 0, 3])
    [20, 0, 6]
    """
    return [2 * number for number in numbers]


def initials(name: str) -> str:
    """The first letters of all words.

    >>> initials("green tea leaf")
    'GTL'
    >>> initials("blue moon")
    'BM'
    """
    return "".join(word[0].upper() for word in name.split())


def clipped(value: int, low: int, high: int) -> int:
    """The value, or the nearer bound where it lies outside.

    >>> clipped(12, 0, 9)
    9
    >>> clipped(-3, 0, 9)
    0
    """
    return max(low, min(high, value))


def odd_ones(numbers: list[int]) -> list[int]:
    """The odd numbers alone.

    >>> odd_ones([1, 2, 3, 8])
    [1, 3]
    >>> odd_ones([4, 7])
    [7]
    """
    return [number for number in numbers if number % 2]


def last_word(sentence: str) -> str:
    """The word at the end, without its mark.

    >>> last_word("Birds fly south.")
    'south'
    >>> last_word("Why not?")
    'not'
    """
    return sentence.split()[-1].strip(".?!")


def triangle(rows: int) -> int:
    """How many stones a triangle of so many rows has.

    >>> triangle(4)
    10
    >>> triangle(7)
    28
    """
    return rows * (rows + 1) // 2


def swapped(pair: tuple[int, int]) -> tuple[int, int]:
    """The pair the other way round.

    >>> swapped((3, 8))
    (8, 3)
    >>> swapped((5, 1))
    (1, 5)
    """
    return pair[1], pair[0]


def minutes(clock: str) -> int:
    """Minutes since midnight.

    >>> minutes("02:30")
    150
    >>> minutes("10:05")
    605
    """
    hours, rest = clock.split(":")
    return 60 * int(hours) + int(rest)


def stripes(word: str) -> str:
    """Every second letter, from the first on.

    >>> stripes("planet")
    'pae'
    >>> stripes("stone")
    'soe'
    """
    return word[::2]


def shorter(one: str, other: str) -> str:
    """The shorter of two words, the first if they are as long.

    >>> shorter("oak", "birch")
    'oak'
    >>> shorter("willow", "elm")
    'elm'
    """
    return one if len(one) <= len(other) else other
