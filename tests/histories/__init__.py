"""Histories of finished orchestrations, by release: what a later release must still be able to go on from."""
