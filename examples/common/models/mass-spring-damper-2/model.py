"""The right mass of two coupled masses, and the coupling between them.

    fk      = cc (x2 - x1) + dc (x2' - x1')      force on the left mass
    m2 x2'' = -c2 x2 - d2 x2' - fk               x1, x1': inputs, held constant within a step

x1, x2 [m] are displacements from rest. Both dampers turn d2 x2'^2 + dc (x2' - x1')^2 watts into heat (`loss2`).
"""


class Model:
    def __init__(self, m2, c2, d2, cc, dc, x2_0, v2_0):
        self.m, self.c, self.d, self.cc, self.dc = m2, c2, d2, cc, dc
        self.state = (x2_0, v2_0, 0.0)  # x [m], v [m/s], loss [J]
        self.x1, self.v1 = 0.0, 0.0

    def set(self, inputs):
        self.x1 = inputs.get("x1", self.x1)
        self.v1 = inputs.get("v1", self.v1)

    def get(self):
        x, v, loss = self.state
        spring = 0.5 * self.c * x * x + 0.5 * self.cc * (x - self.x1) ** 2
        return {"x2": x, "v2": v, "fk": self._force(x, v), "energy2": 0.5 * self.m * v * v + spring, "loss2": loss}

    def do_step(self, h):
        """Moves on by h seconds with one step of the classic Runge-Kutta method of order 4."""
        a = self.state
        k1 = self._rates(a)
        k2 = self._rates(_along(a, k1, h / 2))
        k3 = self._rates(_along(a, k2, h / 2))
        k4 = self._rates(_along(a, k3, h))
        self.state = tuple(
            s + h / 6 * (p + 2 * q + 2 * r + t) for s, p, q, r, t in zip(a, k1, k2, k3, k4)
        )

    def _force(self, x, v):
        return self.cc * (x - self.x1) + self.dc * (v - self.v1)

    def _rates(self, state):
        x, v, _ = state
        heat = self.d * v * v + self.dc * (v - self.v1) ** 2
        return (v, (-self.c * x - self.d * v - self._force(x, v)) / self.m, heat)


def _along(state, rates, h):
    return tuple(s + h * r for s, r in zip(state, rates))
