"""The upload study's page: its text, its figures."""
