"""Slow, literal, loop-written float64 versions of the published equations: the referees of `textlrp.lrp`.

They share no code with the engine, use no autograd and no torch, and are written from the papers that each docstring names.
"""
