"""The overhead study's page: its text, its figures."""
