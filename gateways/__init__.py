"""Thin adapters over the SDKs: ARM, Azure ML, Table Storage, Event Grid topic, identity, settings and time."""

from gateways.sdk_logs import keep_to_warnings

keep_to_warnings()  # Nothing reaches an SDK but through this package.
