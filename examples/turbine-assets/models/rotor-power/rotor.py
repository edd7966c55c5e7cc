"""Power of a rotor in a steady wind.

    P = cp 1/2 rho A v^3        cp <= 16/27 (Betz)

Below the cut-in and above the cut-out speed it stands still; above the rated speed it is held at the rated power.
"""

import math

AIR = 1.225  # kg/m3, at sea level and 15 degrees
BETZ = 16 / 27


class Rotor:
    def __init__(self, diameter=80.0, rated=2e6, cp=0.45, cut_in=4.0, cut_out=25.0):
        if not 0 < cp <= BETZ:
            raise ValueError(f"cp must be above 0 and at most {BETZ:.4f}, which nothing exceeds")
        self.area = math.pi * diameter**2 / 4  # m2
        self.rated = rated  # W
        self.cp = cp
        self.cut_in = cut_in  # m/s
        self.cut_out = cut_out

    def in_wind(self, speed):
        """What the wind itself carries through the rotor's disc [W]."""
        return 0.5 * AIR * self.area * speed**3

    def power(self, speed):
        """What the rotor takes from it [W]."""
        if not self.cut_in <= speed <= self.cut_out:
            return 0.0
        return min(self.rated, self.cp * self.in_wind(speed))
