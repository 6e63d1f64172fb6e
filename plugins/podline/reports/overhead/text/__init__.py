"""The overhead study in words: a module a question, which makes sections from the numbers."""
