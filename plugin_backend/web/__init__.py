"""What visitors reach. It rings bells by name and never asks the outside anything."""
