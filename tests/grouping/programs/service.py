"""A shop: classes, helpers that only raise, causes, data from outside, async code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.grouping.programs.table import Table, case

if TYPE_CHECKING:
    from tests.grouping.stage import Case

SHOP = {
    "shop": "",
    "shop.errors": """\
class NotFound(Exception):
    pass

class Timeout(Exception):
    pass

class ServiceError(Exception):
    pass
""",
    "billing": "",
    "billing.errors": """\
class NotFound(Exception):
    pass

class Timeout(Exception):
    pass
""",
    "shop.util": """\
from shop.errors import NotFound

def require(data, name):
    if name not in data:
        raise ValueError(f"missing field {name!r}")
    return data[name]

def fail(message):
    raise RuntimeError(message)

def abort(status):
    raise NotFound(status)

def ensure(condition, message):
    assert condition, message

def deny(user):
    fail(f"user {user} may not do this")
""",
    "shop.orders": """\
from shop.util import require, fail, abort, ensure, deny

class OutOfStock(Exception):
    def __init__(self, sku, wanted):
        super().__init__(f"{sku}: {wanted} wanted, none left")

class OrderService:
    def __init__(self, rows):
        self.rows = rows

    def load(self, key):
        return self.rows[key]

    def total(self, order):
        return order["net"] / order["count"]

    @property
    def newest(self):
        return self.rows["newest"]

class InvoiceService:
    def __init__(self, rows):
        self.rows = rows

    def load(self, key):
        return self.rows[key]

    @property
    def newest(self):
        return self.rows["newest"]

def show_order(key):
    return OrderService({}).load(key)

def show_invoice(key):
    return InvoiceService({}).load(key)

def newest_order():
    return OrderService({}).newest

def newest_invoice():
    return InvoiceService({}).newest

def average(net):
    return OrderService({}).total({"net": net, "count": 0})

def place(sku, count):
    if count <= 0:
        raise ValueError(f"count must be positive, not {count}")
    if sku.startswith("X"):
        raise OutOfStock(sku, count)
    if count > 99:
        raise ValueError(f"at most 99 pieces per order, not {count}")
    if len(sku) > 12:
        raise ValueError(
            f"article number {sku} is too long"
        )
    if not sku.isascii():
        raise ValueError(
            f"article number {sku} has letters of another alphabet"
        )

def create_order(form):
    name = require(form, "name")
    street = require(form, "street")
    return name, street

def update_order(form):
    return require(form, "name")

def view_order(key):
    abort(404)

def view_receipt(key):
    abort(404)

def close_day(till):
    if till < 0:
        fail(f"till is {till} EUR short")
    fail(f"{till} orders are still open")

def close_month(till):
    fail(f"till is {till} EUR short")

def check_sum(a, b):
    assert a == b, f"sum is {a}, not {b}"
    assert a > 0, f"sum is {a}"

def check_stock(count):
    ensure(count > 0, f"{count} in stock")

def check_price(price):
    ensure(price > 0, f"price is {price}")

def delete_order(user):
    deny(user)

def delete_invoice(user):
    deny(user)
""",
    "shop.customers": """\
from dataclasses import dataclass
from shop.util import require

@dataclass
class Customer:
    name: str
    age: int

    def __post_init__(self):
        if self.age < 0:
            raise ValueError(f"{self.name} cannot be {self.age} years old")

@dataclass
class Supplier:
    name: str
    age: int

    def __post_init__(self):
        if self.age < 0:
            raise ValueError(f"{self.name} cannot be {self.age} years old")

class Record:
    def save(self, value):
        return self.encode(int(value))

    def encode(self, number):
        return number.to_bytes(1, "big")

    def export(self):
        raise NotImplementedError(f"{type(self).__name__}.export")

class Address(Record):
    pass

class Phone(Record):
    pass

class Mail(Record):
    def encode(self, number):
        return bytes([number])

def new_customer(name, age):
    return Customer(name, age)

def new_supplier(name, age):
    return Supplier(name, age)

def forgotten_age(name):
    return Customer(name)

def save_address(value):
    Address().save(value)

def save_phone(value):
    Phone().save(value)

def save_mail(value):
    Mail().save(value)

def register(form):
    return require(form, "name")

def greet(customer):
    return "Dear " + customer.name.title()

def letter(customer):
    name = customer.name
    town = customer.address.town
    return name, town

def birthday(customers, key):
    found = [one for one in customers if one["id"] == key]
    return found[0]["birthday"]

def initials(customers):
    return [one["name"][0] for one in customers]

def towns(customers):
    return {one["town"] for one in customers}

def by_age(customers):
    return {one["age"]: one for one in customers}

def oldest(customers):
    return max(one["age"] for one in customers)
""",
    "shop.rates": """\
VAT = {"DE": 19, "FR": 20}

def vat_of(country):
    return VAT[country]

def checkout(country, net):
    return net * vat_of(country)

def report(countries):
    return [vat_of(country) for country in countries]

RULES = {
    "half": lambda price: price / 2,
    "share": lambda price: price / 0,
    "text": lambda price: price + "%",
}

def apply(rule, price):
    return RULES[rule](price)

def discount(price):
    def step(value):
        return value[1]
    return step(price)

def surcharge(price):
    def step(value):
        return value[1]
    return step(price)

def rows(text):
    for line in text.splitlines():
        yield int(line)

def add_up(text):
    return sum(rows(text))

def list_up(text):
    return [row for row in rows(text)]

def parse(row):
    count = int(row["count"])
    price = float(row["price"])
    weight = int(row["weight"])
    return count, price, weight

def evaluate(formula, price):
    return eval(formula, {"price": price})

def run_rule(number, source):
    exec(compile(source, f"<rule {number}>", "exec"), {"__name__": "rule"})
""",
    "shop.sync": """\
import functools
import time
from contextlib import contextmanager
from shop.errors import ServiceError

class GaveUp(Exception):
    pass

def retry(times):
    def around(function):
        @functools.wraps(function)
        def wrapper(*args):
            for attempt in range(times):
                try:
                    return function(*args)
                except LookupError:
                    if attempt == times - 1:
                        raise
                except ValueError as error:
                    last = error
            raise GaveUp(f"{function.__name__} failed {times} times") from last
        return wrapper
    return around

@contextmanager
def transaction(name):
    try:
        yield
    except LookupError as error:
        raise ServiceError(f"transaction {name} was rolled back") from error

@retry(3)
def pull_prices(rows, key):
    return rows[key]

@retry(2)
def pull_stock(rows, key):
    return rows[key]

@retry(3)
def parse_prices(text):
    return int(text)

@retry(3)
def parse_stock(text):
    return float(text)

def import_orders(rows, key):
    with transaction("orders"):
        return rows[key]

def import_articles(rows, key):
    with transaction("articles"):
        return rows[key]

def run(job):
    raise ServiceError(f"job {job} cannot run")
""",
    "shop.export": """\
from shop.errors import ServiceError
import shop.errors
import billing.errors

def run(job):
    raise ServiceError(f"job {job} cannot run")

def expire(kind, seconds):
    error = {"shop": shop.errors.Timeout, "billing": billing.errors.Timeout, "lookup": KeyError}[kind]
    raise error(f"no answer within {seconds} s")
""",
}

ASYNC = {
    "feeds": "",
    "feeds.poll": """\
import asyncio

class FeedError(Exception):
    pass

async def fetch(url):
    await asyncio.sleep(0)
    if url.endswith("broken"):
        raise FeedError(f"{url} answers with status 500")
    return {}

async def store(url):
    item = await fetch(url)
    return item["title"]

async def one(url):
    return await store(url)

async def gathered(urls):
    return await asyncio.gather(*(store(url) for url in urls))

async def grouped(urls):
    async with asyncio.TaskGroup() as group:
        for url in urls:
            group.create_task(store(url))

async def grouped_deeper(urls):
    async with asyncio.TaskGroup() as group:
        group.create_task(grouped(urls))

async def slow(seconds):
    async with asyncio.timeout(seconds):
        await asyncio.sleep(5)

async def slow_too(seconds):
    async with asyncio.timeout(seconds):
        await asyncio.sleep(5)

async def waited(seconds):
    await asyncio.wait_for(asyncio.sleep(5), seconds)

async def stream(count):
    for number in range(count):
        yield 10 / (count - 1 - number)

async def consume(count):
    return [value async for value in stream(count)]
""",
}


COMMENTED = ((', not {count}")\n    if sku', ', not {count}")  # see 114\n    if sku'),)


class _Person:
    def __init__(self, name: object, address: object = None) -> None:
        self.name, self.address = name, address


def cases() -> list[Case]:
    """Return the cases of the shop and of the feeds."""
    table = Table(SHOP)
    _places(table)
    _helpers(table)
    _data(table)
    _wrappers(table)
    feeds = Table(ASYNC, 1)
    _async(feeds)
    return [*table.cases, *feeds.cases]


def _places(table: Table) -> None:
    table.bug(
        "order is not there",
        "shop.orders:show_order",
        case("a number", 17),
        case("another number", 90312),
        case("a UUID, behind Flask", "0b0f7a56-4b0e-4a0e-9d65-08a7b4a4b9a1", via="flask"),
        case("behind Django, moved lines", "A-77", via="django", shift=4),
        case("in Celery's worker", 3, via="celery"),
        case("through a queue, source at hand", 4, style="queue", shift=9),
        case("in a thread", 5, via="thread"),
        case("installed into site-packages, named by in_app", 6, layout="installed", in_app=("shop",)),
    )
    table.bug(
        "invoice is not there",
        "shop.orders:show_invoice",
        case("a number", 17),
        case("behind Flask", 18, via="flask"),
        case("through a queue, source at hand", 4, style="queue"),
    )
    table.bug("no newest order", "shop.orders:newest_order", case("a property"), case("moved lines", shift=3))
    table.bug("no newest invoice", "shop.orders:newest_invoice", case("a property"), case("in a pool", via="executor"))
    table.bug(
        "average of none",
        "shop.orders:average",
        case("an int", 5),
        case("a float", 5.25, via="celery"),
        case("through a queue", 7, style="queue"),
        case("other caret lines, moved", 0, style="in message", shift=5),
        case("as an argument", 3, style="in argument"),
    )
    table.bug(
        "count is not positive",
        "shop.orders:place",
        case("zero", "A1", 0),
        case("negative", "B2", -5, via="flask"),
        case("a comment behind the raise", "B2", -6, edits=COMMENTED),
        case("through a queue elsewhere", "C3", -17, style="queue elsewhere"),
        case("only the text in stderr", "C3", -2, style="stderr"),
        case("started as a script", "C3", -2, main=True),
    )  # fmt: skip
    table.bug(
        "count is too high",
        "shop.orders:place",
        case("a hundred", "A1", 100),
        case("more, moved lines", "B2", 24000, shift=7),
        case("installed into site-packages", "D4", 300, layout="installed", shift=1),
        case("through a queue elsewhere", "C3", 170, style="queue elsewhere"),
        case("only the text in stderr", "C3", 210, style="stderr"),
    )
    table.bug(
        "out of stock",
        "shop.orders:place",
        case("one", "X-17", 3),
        case("another", "XL/9", 44, via="django"),
        case("text only", "X-20", 5, style="text only"),
    )
    table.bug(
        "article number too long",
        "shop.orders:place",
        case("one", "A1234567890123", 3),
        case("another", "ZZZZZZZZZZZZZZZZZ9", 4, shift=2),
        case("text only", "A1234567890123456", 3, style="text only"),
    )
    table.bug(
        "article number in another alphabet",
        "shop.orders:place",
        case("one", "\u0410\u0411-17", 3),
        case("another", "\u0391\u0392-20", 4, shift=5),
        case("text only", "\u0391\u0392-21", 4, style="text only"),
    )
    table.bug("sync cannot run", "shop.sync:run", case("a job", 17), case("another", 18, via="celery", shift=1))
    table.bug("export cannot run", "shop.export:run", case("a job", 17), case("another", 19, via="celery"))
    table.bug(
        "shop does not answer", "shop.export:expire", case("a time", "shop", 3), case("another", "shop", 0.5, shift=2)
    )
    table.bug("billing does not answer", "shop.export:expire", case("a time", "billing", 3), case("2", "billing", 9))
    table.bug("lookup does not answer", "shop.export:expire", case("a time", "lookup", 3))


def _helpers(table: Table) -> None:
    table.bug(
        "create_order wants a name",
        "shop.orders:create_order",
        case("no field", {}),
        case("behind Flask", {"street": "x"}, via="flask"),
        case("through a queue", {"street": "y"}, style="queue"),
    )
    table.bug(
        "create_order wants a street",
        "shop.orders:create_order",
        case("one field", {"name": "n"}),
        case("behind Django", {"name": "m"}, via="django", shift=3),
        case("through a queue", {"name": "o"}, style="queue"),
    )
    table.bug(
        "update_order wants a name",
        "shop.orders:update_order",
        case("no field", {}),
        case("in a pool", {"x": 1}, via="executor"),
        case("stderr", {}, style="stderr"),
        case("installed into site-packages", {}, layout="installed"),
    )
    table.bug(
        "register wants a name", "shop.customers:register", case("no field", {}), case("stderr", {}, style="stderr")
    )
    table.bug("no such order page", "shop.orders:view_order", case("one", 5), case("behind Flask", 6, via="flask"))
    table.bug("no such receipt", "shop.orders:view_receipt", case("one", 5), case("behind Flask", 8, via="flask"))
    table.bug(
        "till is short at the day's end",
        "shop.orders:close_day",
        case("some", -5),
        case("more", -1250, via="celery"),
        case("moved lines", -7, shift=6),
    )
    table.bug("orders open at the day's end", "shop.orders:close_day", case("some", 5), case("more", 1250, shift=1))
    table.bug("till is short at the month's end", "shop.orders:close_month", case("some", -5), case("more", -99999))
    table.bug("sums differ", "shop.orders:check_sum", case("one", 3, 4), case("another", 77.25, 1e9, via="thread"))
    table.bug("sum is not positive", "shop.orders:check_sum", case("one", 0, 0), case("another", -4, -4, shift=2))
    table.bug("nothing in stock", "shop.orders:check_stock", case("none", 0), case("less", -3, via="flask"))
    table.bug("price is nought", "shop.orders:check_price", case("none", 0), case("less", -3.5, via="flask"))
    table.bug("order deleted by somebody", "shop.orders:delete_order", case("id", 17), case("id", 18, shift=2))
    table.bug("invoice deleted by somebody", "shop.orders:delete_invoice", case("id", 17), case("id", 4, via="django"))


def _data(table: Table) -> None:
    table.bug(
        "customer of negative age",
        "shop.customers:new_customer",
        case("one", "Ann", -1),
        case("another", "Bob", -30, via="flask"),
        case("installed into site-packages", "Cid", -4, layout="installed"),
    )
    table.bug("supplier of negative age", "shop.customers:new_supplier", case("one", "Ann", -1), case("2", "Z", -9))
    table.bug("customer without age", "shop.customers:forgotten_age", case("one", "Ann"), case("another", "B", shift=3))
    table.bug(
        "record does not fit into a byte",
        "shop.customers:save_address",
        case("an address", 300),
        case("another value", 70000, via="celery"),
    )
    table.bug("mail does not fit into a byte", "shop.customers:save_mail", case("one", 300), case("another", 999))
    table.bug(
        "record is no number",
        "shop.customers:save_address",
        case("a word", "x17"),
        case("empty", "", shift=4),
    )
    table.bug(
        "greeting nobody",
        "shop.customers:greet",
        case("None", None),
        case("behind Flask", None, via="flask", shift=5),
        case("stderr", None, style="stderr"),
        case("behind Django", None, via="django"),
    )
    table.bug("letter to nobody", "shop.customers:letter", case("None", None), case("moved lines", None, shift=8))
    table.bug(
        "letter without address", "shop.customers:letter", case("1", _Person("a")), case("2", _Person("b"), shift=1)
    )
    table.bug("nobody has this birthday", "shop.customers:birthday", case("no row", [], 5), case("2", [{"id": 1}], 7))
    table.bug("no birthday is known", "shop.customers:birthday", case("1", [{"id": 1}], 1), case("2", [{"id": 2}], 2))
    table.bug(
        "empty name has no initial",
        "shop.customers:initials",
        case("a frame for the comprehension", [{"name": ""}], python="3.11"),
        case("none any more", [{"name": "a"}, {"name": ""}], python="3.12"),
        case("none any more, moved", [{"name": ""}], python="3.13", shift=3),
        case("stderr", [{"name": ""}], python="3.11", style="stderr"),
        case("stderr", [{"name": ""}], python="3.13", style="stderr"),
    )
    table.bug(
        "customer without town",
        "shop.customers:towns",
        case("set comprehension", [{}], python="3.11"),
        case("set comprehension", [{"town": "x"}, {}], python="3.13"),
        case("through a queue elsewhere", [{}], python="3.12", style="queue elsewhere"),
    )
    table.bug("customer without age in a dict", "shop.customers:by_age", case("1", [{}]), case("2", [{}], shift=1))
    table.bug("customer without age in max", "shop.customers:oldest", case("1", [{}]), case("2", [{"age": 1}, {}]))
    table.bug(
        "country without VAT",
        "shop.rates:checkout",
        case("one", "XX", 5),
        case("another", "ZZ", 9, shift=2),
    )
    table.bug(
        "rule 'share' divides by nought", "shop.rates:apply", case("1", "share", 5), case("2", "share", 8, shift=2)
    )
    table.bug("rule 'text' adds text", "shop.rates:apply", case("1", "text", 5), case("2", "text", 7.5, via="celery"))
    table.bug("discount of a short price", "shop.rates:discount", case("1", [1]), case("2", [7], style="queue"))
    table.bug("surcharge of a short price", "shop.rates:surcharge", case("1", [1]), case("2", [7], style="queue"))
    table.bug(
        "row is no number",
        "shop.rates:add_up",
        case("a generator, summed", "1\nx"),
    )
    good = {"count": "1", "price": "2", "weight": "3"}
    table.bug(
        "row's count is no number",
        "shop.rates:parse",
        case("one", good | {"count": "x"}),
        case("another", good | {"count": "1.5"}, shift=3),
        case("stderr", good | {"count": "1 pc"}, style="stderr"),
    )
    table.bug(
        "row's weight is no number",
        "shop.rates:parse",
        case("one", good | {"weight": "x"}),
        case("another", good | {"weight": "1 kg"}, shift=1),
        case("stderr", good | {"weight": "8 kg"}, style="stderr"),
    )
    table.bug(
        "row's price is no number",
        "shop.rates:parse",
        case("1", good | {"price": "x"}),
        case("2", good | {"price": "1,50"}),
    )
    table.bug("row without price", "shop.rates:parse", case("1", {"count": 1}), case("2", {"count": 9}, via="executor"))
    table.bug("formula divides by nought", "shop.rates:evaluate", case("1", "price / 0", 5), case("2", "price / 0", 17))
    table.bug(
        "formula with an unknown name", "shop.rates:evaluate", case("1", "prize * 2", 5), case("2", "prize * 2", 6)
    )
    table.bug(
        "formula is cut off", "shop.rates:evaluate", case("1", "price * (2", 5), case("2", "price * (2", 9, shift=2)
    )
    table.bug(
        "generated rule divides",
        "shop.rates:run_rule",
        case("one number", 17, "def rule(a):\n    return a / 0\nrule(1)\n"),
        case("another number", 23, "def rule(a):\n    return a / 0\nrule(1)\n"),
    )
    table.bug(
        "generated rule indexes", "shop.rates:run_rule", case("1", 17, "def rule(a):\n    return a[0]\nrule([])\n")
    )


def _wrappers(table: Table) -> None:
    table.bug(
        "prices lack a key",
        "shop.sync:pull_prices",
        case("one", {}, "a"),
        case("more attempts", {}, "b", edits=(("@retry(3)\ndef pull_prices", "@retry(7)\ndef pull_prices"),)),
    )
    table.bug("stock lacks a key", "shop.sync:pull_stock", case("one", {}, "a"), case("another", {}, "b", shift=2))
    table.bug(
        "prices gave up",
        "shop.sync:parse_prices",
        case("one", "x"),
        case("more attempts", "12,5", edits=(("@retry(3)\ndef parse_prices", "@retry(12)\ndef parse_prices"),)),
    )
    table.bug("stock gave up", "shop.sync:parse_stock", case("one", "x"), case("another", "1,5", shift=2))
    table.bug("orders rolled back", "shop.sync:import_orders", case("one", {}, "k"), case("another", {}, 55, shift=1))
    table.bug("articles rolled back", "shop.sync:import_articles", case("one", {}, "k"), case("another", {}, 60))


def _async(table: Table) -> None:
    table.bug(
        "feed answers 500",
        "feeds.poll:one",
        case("one", "https://feeds.example/a/broken", via="asyncio"),
        case("another host", "http://10.1.2.3:8080/v2/x/broken", via="asyncio", shift=3),
    )
    table.bug(
        "feed without title",
        "feeds.poll:one",
        case("one", "https://feeds.example/a", via="asyncio"),
        case("another", "https://feeds.example/b?page=2", via="asyncio"),
    )
    table.bug(
        "feeds answer 500, in a group",
        "feeds.poll:grouped",
        case("one of them", ["http://a.example/broken"], via="asyncio"),
        case("three of them", ["http://a.example/broken", "http://b.example/broken", "http://c/broken"], via="asyncio"),
        case("moved lines", ["http://d.example/broken"], via="asyncio", shift=4),
    )
    table.bug(
        "feeds without title, in a group",
        "feeds.poll:grouped",
        case("one of them", ["http://a.example/"], via="asyncio"),
        case("two of them", ["http://a.example/", "http://b.example/"], via="asyncio", style="queue"),
    )
    table.bug(
        "feeds fail both ways, in a group",
        "feeds.poll:grouped",
        case("this way round", ["http://a.example/", "http://b.example/broken"], via="asyncio"),
        case("that way round", ["http://b.example/broken", "http://a.example/"], via="asyncio"),
        case("more of one", ["http://b/broken", "http://a/", "http://c/broken"], via="asyncio"),
    )
    table.bug(
        "feed is slow",
        "feeds.poll:slow",
        case("one", 0.001, via="asyncio"),
        case("another", 0.002, via="asyncio", shift=1),
        case("the third Python", 0.001, via="asyncio"),
    )
    table.bug(
        "feed is slow elsewhere", "feeds.poll:slow_too", case("1", 0.001, via="asyncio"), case("2", 0, via="asyncio")
    )
    table.bug(
        "feed is waited for",
        "feeds.poll:waited",
        case("the old wait_for", 0.001, via="asyncio", python="3.11"),
        case("the new wait_for", 0.002, via="asyncio", python="3.12"),
        case("the new wait_for", 0.003, via="asyncio", python="3.13"),
    )
    table.bug(
        "stream divides by nought", "feeds.poll:consume", case("1", 2, via="asyncio"), case("2", 4, via="asyncio")
    )
