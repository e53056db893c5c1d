"""A shop that knows nothing of loghub: what it does not catch becomes an issue, since it runs under `loghub run`."""

import os

PRICES = {"tea": 3, "coffee": 4}


def total(cart):
    """Return what a cart costs."""
    return sum(PRICES[article] for article in cart)


print("serving", flush=True)
print(total(os.environ.get("CART", "tea milk").split()))
