"""The tour of the demo, as a process of its own: seven steps to try, and a plug to pull."""
