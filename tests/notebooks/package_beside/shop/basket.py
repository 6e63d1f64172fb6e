"""What a customer carries."""


class Basket:
    """Items by name."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}

    def add(self, name: str, count: int) -> None:
        """Put so many of an item in."""
        self.items[name] = self.items.get(name, 0) + count
