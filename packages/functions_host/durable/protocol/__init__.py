"""What extension and SDK tell each other: history events, contexts, replies, failures and times of the wire."""
