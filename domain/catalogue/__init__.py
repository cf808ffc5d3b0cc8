"""The error catalogue: what Azure and Moor say when something fails -> true cause, remedy, command.

The data is in modules by the situation in which the words are met; ``explain`` finds the entry for an answer of Azure.
"""
