"""The WSGI entry point: any WSGI server can serve ``wsgi:app``."""

from plugin_backend.app import create_app

app = create_app()
