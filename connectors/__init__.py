"""One folder per shop platform. Each may import plugin_backend.sdk and nothing else of the house."""
