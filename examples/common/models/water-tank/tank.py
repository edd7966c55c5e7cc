"""A tank of constant cross-section, emptied through openings at its bottom.

    A dh/dt = q_in - sum of Cd a sqrt(2 g h)          Torricelli; A, a [m2], h [m], q [m3/s]

Without inflow the level falls as sqrt(h) = sqrt(h0) - Cd a / A sqrt(g / 2) t until the tank is empty.
Volumes that came in and went out are integrated beside the level: A (h - h0) = in - out at any time.
"""

import math

GRAVITY = 9.81  # m/s2
DISCHARGE = 0.6  # Cd of a sharp-edged opening


def outflow(level, opening, discharge=DISCHARGE):
    """Volume flow [m3/s] through an opening [m2] under a level [m]."""
    return discharge * opening * math.sqrt(2 * GRAVITY * max(level, 0.0))


class Tank:
    def __init__(self, area, level=0.0):
        self.area = area
        self.volume_in = 0.0  # m3
        self.volume_out = {}  # by name of the opening, m3
        self.start = level
        self.level = level

    def advance(self, h, inflow, openings):
        """Moves on by h seconds; `inflow` [m3/s] and `openings` {name: area [m2]} stay as they are meanwhile."""
        total = sum(openings.values())
        rate = lambda level: (inflow - outflow(level, total)) / self.area
        a = self.level
        k1 = rate(a)
        k2 = rate(a + h / 2 * k1)
        k3 = rate(a + h / 2 * k2)
        k4 = rate(a + h * k3)
        after = a + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        # What came in and is not there any more went out; never more than there was.
        gone = max(0.0, min(self.area * (a - after) + inflow * h, self.area * a + inflow * h))
        self.level = a + (inflow * h - gone) / self.area
        self.volume_in += inflow * h
        for name, opening in openings.items():
            share = gone * opening / total if total > 0 else 0.0
            self.volume_out[name] = self.volume_out.get(name, 0.0) + share
