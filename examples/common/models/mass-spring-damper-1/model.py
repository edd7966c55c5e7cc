"""The left mass of two coupled masses.

    m1 x1'' = -c1 x1 - d1 x1' + fk          fk: force of the coupling, an input, held constant within a step

x1 [m] is the displacement from rest. The damper turns d1 x1'^2 watts into heat, counted in `loss1`.
"""


class Model:
    def __init__(self, m1, c1, d1, x1_0, v1_0):
        self.m, self.c, self.d = m1, c1, d1
        self.state = (x1_0, v1_0, 0.0)  # x [m], v [m/s], loss [J]
        self.fk = 0.0

    def set(self, inputs):
        self.fk = inputs.get("fk", self.fk)

    def get(self):
        x, v, loss = self.state
        return {"x1": x, "v1": v, "energy1": 0.5 * self.m * v * v + 0.5 * self.c * x * x, "loss1": loss}

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

    def _rates(self, state):
        x, v, _ = state
        return (v, (-self.c * x - self.d * v + self.fk) / self.m, self.d * v * v)


def _along(state, rates, h):
    return tuple(s + h * r for s, r in zip(state, rates))
