"""Model versions in the object store."""
