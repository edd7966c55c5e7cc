"""An insulated box with a heater: two heat capacities, two ways for heat to flow.

    Ch dTh/dt = P u - Gh (Th - Ta)                    heater   Ch [J/K], P = U I [W], u = 1 on, 0 off
    Ca dTa/dt = Gh (Th - Ta) - Gb (Ta - Tr)           box air  Ca [J/K], Gh and Gb [W/K], Tr room [degC]

Energy in and energy lost to the room are integrated beside the temperatures, so that the balance
Ch dTh + Ca dTa = in - lost can be checked at any time. Measured parameters: data/incubator/parameters.json.
"""

import json

MAX_STEP = 1.0  # s; the fastest time constant of the box is above 80 s


class Thermal:
    def __init__(self, parameters, room=21.0, air=None, heater=None):
        value = lambda name: float(parameters[name]["value"])
        self.capacity_air = value("heatCapacityAir")
        self.capacity_heater = value("heatCapacityHeater")
        self.conductance_box = value("conductanceBox")
        self.conductance_heater = value("conductanceHeater")
        self.power = value("heaterVoltage") * value("heaterCurrent")  # W
        self.room = room  # degC
        # heater [degC], air [degC], energy in [J], energy lost [J]
        self.state = (room if heater is None else heater, room if air is None else air, 0.0, 0.0)
        self.start = self.state

    heater = property(lambda self: self.state[0])
    air = property(lambda self: self.state[1])
    energy_in = property(lambda self: self.state[2])
    energy_lost = property(lambda self: self.state[3])

    def stored(self):
        """Heat stored since the start [J]."""
        return self.capacity_heater * (self.heater - self.start[0]) + self.capacity_air * (self.air - self.start[1])

    def advance(self, seconds, heater_on):
        """Moves on, the heater being on or off all the time, in equal Runge-Kutta steps of at most MAX_STEP."""
        count = max(1, -int(-seconds // MAX_STEP))
        h = seconds / count
        for _ in range(count):
            a = self.state
            k1 = self._rates(a, heater_on)
            k2 = self._rates(_along(a, k1, h / 2), heater_on)
            k3 = self._rates(_along(a, k2, h / 2), heater_on)
            k4 = self._rates(_along(a, k3, h), heater_on)
            self.state = tuple(s + h / 6 * (p + 2 * q + 2 * r + t) for s, p, q, r, t in zip(a, k1, k2, k3, k4))

    def _rates(self, state, heater_on):
        heater, air, _, _ = state
        power = self.power if heater_on else 0.0
        to_air = self.conductance_heater * (heater - air)
        to_room = self.conductance_box * (air - self.room)
        return (
            (power - to_air) / self.capacity_heater,
            (to_air - to_room) / self.capacity_air,
            power,
            to_room,
        )


def _along(state, rates, h):
    return tuple(s + h * r for s, r in zip(state, rates))


def read_parameters(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
