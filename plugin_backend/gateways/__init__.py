"""One folder per payment gateway. Each may import plugin_backend.sdk and nothing else of the house."""
