"""The business: one noun a file, each imports only those above it in the order setup.cfg holds."""
