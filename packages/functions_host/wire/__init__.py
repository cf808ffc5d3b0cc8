"""What host and worker process have in common: values, messages, and their frames on the channel between them."""
