"""Thin adapters over the SDKs: ARM, Azure ML, Table Storage, Event Grid topic, identity, settings and time."""
