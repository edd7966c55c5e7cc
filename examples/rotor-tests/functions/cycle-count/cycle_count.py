"""Counts load cycles in a signal: upward crossings of its mean."""


def cycles(values):
    mean = sum(values) / len(values)
    return sum(1 for before, after in zip(values, values[1:]) if before < mean <= after)
