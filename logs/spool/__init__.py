"""Where lines wait: files that outlive every crash, and a ledger that adds up."""
