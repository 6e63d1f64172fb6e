"""The update study's page: its text, its figures."""
