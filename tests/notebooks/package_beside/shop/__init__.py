"""A small shop."""

from .basket import Basket

__all__ = ["Basket"]
