"""The ground: all that an adapter may import, and the whole reading list of someone who writes one."""
