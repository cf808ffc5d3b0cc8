"""Thin adapters over the SDKs: ARM, Azure ML, Table Storage, Event Grid topic, identity, settings and time."""

from gateways.sdk_logs import keep_to_warnings, scrub_records

# Nothing reaches an SDK but through this package.
keep_to_warnings()
scrub_records()
