"""CUSUM (Page 1954): finds a lasting shift of the mean in a noisy signal that should be around zero.

    up   = max(0, up   + r - slack)
    down = max(0, down - r - slack)          an alarm begins when one is above `limit`, and ends when it is back at 0

`slack` is half the smallest shift worth finding. The sums are cut a little above the limit, so that an alarm also ends.
"""

CUT = 1.5  # times the limit


class Cusum:
    def __init__(self, slack, limit):
        self.slack, self.limit = slack, limit
        self.up = self.down = 0.0
        self.alarm = 0

    def update(self, residual):
        """-1 or 1: the mean has shifted down or up; 0: it has not."""
        ceiling = CUT * self.limit
        self.up = min(ceiling, max(0.0, self.up + residual - self.slack))
        self.down = min(ceiling, max(0.0, self.down - residual - self.slack))
        if (self.alarm > 0 and self.up == 0.0) or (self.alarm < 0 and self.down == 0.0):
            self.alarm = 0
        if self.alarm == 0 and max(self.up, self.down) > self.limit:
            self.alarm = 1 if self.up > self.down else -1
        return self.alarm
