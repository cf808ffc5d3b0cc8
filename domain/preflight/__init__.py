"""Preflight: named checks of what an attach needs, as pure functions from facts to a judgement.

``facts`` is what was read, ``check`` what a check is, ``table`` lists them all and ``run`` runs them. The checks stand
in small modules by what they look at. Sources of the rules are given where they are encoded.
"""
