"""Modules of this package are named after what they are about."""
