"""Small functions on numbers and lists, each with doctests that can be run."""


def digit_sum(number: int) -> int:
    """The sum of the decimal digits of a whole number, its sign left aside.

    >>> digit_sum(1234)
    10
    >>> digit_sum(-77)
    14
    >>> digit_sum(0)
    0
    """
    return sum(int(digit) for digit in str(abs(number)))


def running_total(numbers: list[int]) -> list[int]:
    """Each number added to all before it.

    >>> running_total([1, 2, 3])
    [1, 3, 6]
    >>> running_total([5, -5, 5])
    [5, 0, 5]
    >>> running_total([])
    []
    """
    total, result = 0, []
    for number in numbers:
        total += number
        result.append(total)
    return result


def collatz_steps(number: int) -> int:
    """Steps until halving even numbers, and tripling odd ones and adding one, comes to 1.

    >>> collatz_steps(6)
    8
    >>> collatz_steps(1)
    0
    >>> collatz_steps(27)
    111
    """
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


def middle(numbers: list[float]) -> float:
    """The median: the middle number in order, or the mean of the two middle ones.

    >>> middle([3, 1, 2])
    2
    >>> middle([4, 1, 3, 2])
    2.5
    >>> middle([7])
    7
    """
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def chunks(items: list[int], size: int) -> list[list[int]]:
    """A list cut into pieces of a size; the last may be shorter.

    >>> chunks([1, 2, 3, 4, 5], 2)
    [[1, 2], [3, 4], [5]]
    >>> chunks([1, 2, 3], 3)
    [[1, 2, 3]]
    >>> chunks([], 4)
    []
    """
    return [items[at : at + size] for at in range(0, len(items), size)]


def second_largest(numbers: list[int]) -> int | None:
    """The second largest of the different numbers in a list; None if there is none.

    >>> second_largest([3, 9, 9, 4])
    4
    >>> second_largest([1, 2])
    1
    >>> second_largest([5, 5]) is None
    True
    """
    different = sorted(set(numbers))
    return different[-2] if len(different) > 1 else None


def to_roman(number: int) -> str:
    """A number from 1 to 3999 in Roman numerals.

    >>> to_roman(14)
    'XIV'
    >>> to_roman(1994)
    'MCMXCIV'
    >>> to_roman(3)
    'III'
    """
    values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
    signs = ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"]
    result = ""
    for value, sign in zip(values, signs, strict=True):
        count, number = divmod(number, value)
        result += sign * count
    return result


def common_divisor(first: int, second: int) -> int:
    """The greatest common divisor of two positive numbers, by Euclid.

    >>> common_divisor(12, 18)
    6
    >>> common_divisor(7, 13)
    1
    >>> common_divisor(100, 75)
    25
    """
    while second:
        first, second = second, first % second
    return first
