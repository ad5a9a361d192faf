"""The REST API of logs: ledgers, batches and attempts, refused senders, receivers, forwarding."""
