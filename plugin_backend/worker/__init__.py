"""What runs without a visitor. Read jobs.py first."""
