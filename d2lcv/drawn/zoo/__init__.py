"""The zoo: things, each drawn once, as a function of a canvas and of its colours.

`thing(c, colour=…)` draws on a `Canvas`, whose docstring says how; what is not said, the
canvas's generator chooses. What stands looks left and touches the ground at its lowest
point; what lies is drawn as seen from above and may be turned by any angle.
"""
