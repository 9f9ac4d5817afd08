"""What is measured: each bench starts what it needs, prints what it saw, and says the figure that counts last."""
