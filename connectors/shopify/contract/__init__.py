"""What the contract tests need of this connector: its settings, its deliveries, and a shop to be tried against."""
