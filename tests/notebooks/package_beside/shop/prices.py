"""What things cost."""

from .basket import Basket

PRICES = {"tea": 3, "rice": 2}


def total(basket: Basket) -> int:
    """The price of the whole basket."""
    return sum(PRICES[name] * count for name, count in basket.items.items())
