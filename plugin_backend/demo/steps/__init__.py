"""The steps of the story. Each begins where those before it ended; addresses and names are invented."""
