"""A small shop with two worker processes, some threads and an event loop, in which a good deal goes wrong.

Its only set-up is the logging.yaml it is given: ``python shop.py logging.yaml 2000``.
"""

import asyncio
import logging
import logging.config
import multiprocessing
import sqlite3
import sys
import threading
from typing import Any

import yaml

log = logging.getLogger("shop")

PRICES = {"tea": "4.20", "coffee": "n/a", "cake": "3.10"}


class PaymentError(Exception):
    """The customer could not be charged."""


def configure(path: str) -> None:
    """Set logging up, as any application does."""
    with open(path, encoding="utf-8") as file:
        logging.config.dictConfig(yaml.safe_load(file))


def price_of(item: str) -> float:
    """Return the price of an item; nobody has thought of items without one."""
    return float(PRICES[item])


def order_total(items: list[str]) -> float:
    """Return what an order costs."""
    return sum(price_of(item) for item in items)


def work(path: str, orders: int) -> None:
    """Take orders in a worker process: one in a thousand bugs, thousands of times."""
    configure(path)
    for number in range(orders):
        try:
            order_total(["tea", "coffee"] if number % 2 else ["tea", "cake", "coffee"])
        except ValueError:
            log.exception("order %d could not be priced", number)


def charge(customer: str) -> str:
    """Charge a customer; the cause of the failure is another one."""
    cards = {"ada": "4242"}
    try:
        return cards[customer]
    except KeyError as error:
        raise PaymentError(f"no card on file for customer {customer}") from error


def validate(order: dict[str, Any]) -> None:
    """Collect all that is wrong with an order."""
    problems: list[Exception] = []
    kinds: dict[str, type] = {"quantity": int, "weight": float}
    for field, kind in kinds.items():
        try:
            kind(order[field])
        except (ValueError, KeyError) as error:
            problems.append(error)
    if problems:
        raise ExceptionGroup(f"order {order['id']} is not valid", problems)


def restock(shelf: int) -> int:
    """Divide what came among the shelves; run in a thread that nobody watches."""
    return 100 // shelf


async def refresh_stock() -> None:
    """Ask the warehouse; the caller forgets to look at the answer."""
    await asyncio.sleep(0)
    raise ConnectionResetError(104, "warehouse closed the connection")


async def serve() -> None:
    """Start a task and forget it."""
    task = asyncio.create_task(refresh_stock(), name="refresh-stock")
    await asyncio.sleep(0.01)
    del task


def yesterday(database: str) -> Any:
    """Report yesterday's sales from a table that was never made."""
    return sqlite3.connect(database).execute("SELECT sum(total) FROM sales").fetchone()


def main(path: str, orders: int) -> None:
    """Run the shop for a moment."""
    configure(path)
    log.info("the shop opens")
    processes = multiprocessing.get_context("spawn")
    workers = [processes.Process(target=work, args=(path, orders // 2)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for customer in ("grace", "alan", "edsger"):
        try:
            charge(customer)
        except PaymentError:
            log.exception("payment failed", extra={"customer": customer, "card_number": "4111 1111 1111 1111"})
    for number in range(5):
        try:
            validate({"id": number, "quantity": "two"})
        except ExceptionGroup:
            log.exception("order refused")
    for _ in range(2):
        thread = threading.Thread(target=restock, args=(0,), name="restock")
        thread.start()
        thread.join()
    asyncio.run(serve())
    try:
        yesterday(":memory:")
    except sqlite3.OperationalError:
        log.critical("the daily report could not be made", exc_info=True)
    for attempt in range(4):
        log.error("mail server %s does not answer, attempt %d", "mx1.example.com", attempt)
    for worker in workers:
        worker.join()
    log.info("the shop closes")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
