"""The tools of the house; no business rule lives here."""
