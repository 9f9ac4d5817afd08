"""The two-command start: seed, tour, smoke; and as separate processes a shop, a gateway and a mailbox."""
