"""Energy of a time series of power, by the trapezoidal rule."""


def energy(times, powers):
    """`times` [s] in rising order, `powers` [W]; the energy between the first and the last time [J]."""
    pairs = zip(times, times[1:], powers, powers[1:])
    return sum((t1 - t0) * (p0 + p1) / 2 for t0, t1, p0, p1 in pairs)
