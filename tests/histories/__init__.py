"""Histories of finished orchestrations, by orchestration version: what a later release still goes on from."""
