"""A switch with two thresholds: it turns at the far one and stays as it is in between."""


class Hysteresis:
    """On at or above `high` (or at or below `low`, when `on_when="low"`), off at the other threshold."""

    def __init__(self, low, high, on_when, on=False):
        if not low < high:
            raise ValueError(f"low ({low}) must be below high ({high})")
        if on_when not in ("low", "high"):
            raise ValueError("on_when is low or high")
        self.low, self.high, self.on_when, self.on = low, high, on_when, on

    def decide(self, value):
        if value <= self.low:
            self.on = self.on_when == "low"
        elif value >= self.high:
            self.on = self.on_when == "high"
        return self.on
