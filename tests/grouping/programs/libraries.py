"""Libraries: stacks that hold nothing else, and libraries around and between the frames of a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.grouping.programs.table import Table, case

if TYPE_CHECKING:
    from tests.grouping.stage import Case

READER = {
    "reader": "",
    "reader.parse": """\
import argparse
import base64
import configparser
import csv
import datetime
import decimal
import enum
import io
import ipaddress
import json
import re
import struct
import uuid
import xml.etree.ElementTree
import zipfile
import yaml

class Colour(enum.Enum):
    RED = 1

def settings(text):
    return json.loads(text)

def lines(text):
    return [json.loads(line) for line in text.splitlines()]

def typed(text):
    return json.loads(text, object_hook=point)

def point(fields):
    return fields["x"], fields["y"]

def dump(value):
    return json.dumps({"value": value})

def config(text):
    return yaml.safe_load(text)

def secrets(text):
    return yaml.safe_load(text)

def pattern(text):
    return re.compile(text)

def replace(pattern, text):
    return re.sub(pattern, lambda found: found["name"], text)

def header(data):
    return struct.unpack("<I", data)

def trailer(data):
    return struct.unpack("<Q", data)

def archive(data):
    return zipfile.ZipFile(io.BytesIO(data))

def member(name):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", "b")
    return zipfile.ZipFile(packed).read(name)

def amount(text):
    return decimal.Decimal(text)

def day(text):
    return datetime.datetime.strptime(text, "%Y-%m-%d")

def moment(text):
    return datetime.datetime.fromisoformat(text)

def moments(text):
    began, _, ended = text.partition("/")
    began = datetime.datetime.fromisoformat(began)
    ended = datetime.datetime.fromisoformat(ended)
    return ended - began

def decoded(data):
    return data.decode("utf-8")

def encoded(text):
    return text.encode("ascii")

def blob(text):
    return base64.b64decode(text)

def address(text):
    return ipaddress.ip_address(text)

def identity(text):
    return uuid.UUID(text)

def colour(name):
    return Colour(name)

def ini(text):
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser["server"]

def xml_tree(text):
    return xml.etree.ElementTree.fromstring(text)

def options(*words):
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--count", type=int)
    return parser.parse_args(words)

def table(text):
    return [row["name"] for row in csv.DictReader(io.StringIO(text))]

def sort(rows):
    return sorted(rows, key=lambda row: row["rank"])

def longest(rows):
    return max(rows, key=lambda row: len(row["name"]))

def sub(text):
    return re.sub("[0-9]+", digit, text)

def digit(found):
    return 10 / int(found[0])
""",
    "reader.client": """\
import requests

def prices(url):
    return requests.get(url, timeout=2)

def stock(url):
    return requests.get(url, timeout=2)
""",
    "reader.pages": """\
import linecache
import os
import jinja2

TEMPLATES = {
    "invoice.html": "<p>{{ customer.name }}</p>\\n<p>{{ total.gross }}</p>\\n",
    "mail.html": "Dear {{ customer.name }}\\n",
    "base.html": "<b>{% block body %}{% endblock %}</b>",
    "page.html": "{% extends 'base.html' %}\\n{% block body %}{{ missing.name }}{% endblock %}\\n",
    "broken.html": "{% if x %}\\n",
    "macro.html": "{% macro cell(x) %}{{ 1 // x }}{% endmacro %}{{ cell(0) }}",
}

def source(name):
    path = os.path.join(os.path.dirname(__file__), "templates", name)
    linecache.cache[path] = (1, None, TEMPLATES[name].splitlines(True), path)
    return TEMPLATES[name], path, None

def render(name, values):
    environment = jinja2.Environment(loader=jinja2.FunctionLoader(source))
    return environment.get_template(name).render(values)
""",
    "reader.serve": """\
import asyncio
import gc
import http.server
import logging
import socket
import socketserver

log = logging.getLogger("reader.serve")

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(self.path)

    def do_POST(self):
        self.answer(self.path)

    def answer(self, path):
        return {}[path]

    def do_PUT(self):
        raise ConnectionError(f"{self.path} cannot be put")

class Server(socketserver.TCPServer):
    def __init__(self, request):
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        here, self.there = socket.socketpair()
        self.there.sendall(request)
        self.here = here

    def get_request(self):
        return self.here, ("127.0.0.1", 4711)

    def handle_error(self, request, client_address):
        log.exception("request from %s failed", client_address)

def serve(request):
    Server(request)._handle_request_noblock()

async def forgotten(value):
    return 10 / value

async def also_forgotten(value):
    return [][value]

async def main(job, value):
    asyncio.get_running_loop().create_task(job(value))
    await asyncio.sleep(0.001)
    gc.collect()

def forget(value):
    asyncio.run(main(forgotten, value))

def forget_too(value):
    asyncio.run(main(also_forgotten, value))
""",
}


def cases() -> list[Case]:
    """Return the cases of libraries."""
    alone = Table({}, 1)
    _alone(alone)
    table = Table(READER, 2)
    _parsing(table)
    _serving(table)
    return [*alone.cases, *table.cases]


def _alone(table: Table) -> None:
    pool = {"via": "executor"}
    table.bug("pool: no int", "builtins:int", case("1", "x"), case("2", "1,5"), case("3", "n/a 17"), **pool)
    table.bug("pool: no float", "builtins:float", case("1", "x"), case("2", "1,5"), **pool)
    table.bug("pool: JSON has no value", "json:loads", case("1", ""), case("2", "\n\nx"), case("3", "[1, x]"), **pool)
    table.bug("pool: JSON goes on", "json:loads", case("1", "{} {}"), case("2", "[1]\n[2]\n[3]"), **pool)
    table.bug("pool: JSON has no colon", "json:loads", case("1", '{"a" 5}'), case("2", '{"b", 5}'), **pool)
    table.bug("pool: no number for Decimal", "decimal:Decimal", case("1", "x"), case("2", "1,5"), **pool)
    table.bug(
        "pool: date does not match", "datetime:datetime.strptime", case("1", "x", "%Y"), case("2", "y", "%Y"), **pool
    )
    table.bug(
        "pool: date goes on", "datetime:datetime.strptime", case("1", "2026x", "%Y"), case("2", "20265", "%Y"), **pool
    )
    table.bug(
        "pool: no zip", "zipfile:ZipFile", case("one module", "/bin/ls", python="3.11"),
        case("a package", "/bin/cat", python="3.12"), case("a package", "/bin/sh", python="3.13"), **pool
    )  # fmt: skip
    table.bug(
        "pool: zip is missing", "zipfile:ZipFile", case("one module", "/data/a.zip", python="3.11"),
        case("a package", "/data/17/b.zip", python="3.12"), **pool
    )  # fmt: skip
    table.bug("pool: no module redis", "importlib:import_module", case("1", "redis_x"), case("2", "redis_x"), **pool)
    table.bug("pool: no module kafka", "importlib:import_module", case("1", "kafka_x"), case("2", "kafka_x"), **pool)
    table.bug(
        "pool: XML is cut off", "xml.etree.ElementTree:fromstring", case("1", "<a>"), case("2", "<a><b>\n"), **pool
    )
    table.bug(
        "pool: XML is no XML", "xml.etree.ElementTree:fromstring", case("1", "<a&"), case("2", "<a><b>&&"), **pool
    )
    table.bug("pool: padding", "base64:b64decode", case("1", "YWJ"), case("2", "YWJjZGVmZ2"), **pool)
    table.bug(
        "thread: file is missing",
        "os:remove",
        case("1", "/data/17"),
        case("2", "C:\\x"),
        case("3", "/a/b.c"),
        via="thread",
    )
    table.bug("thread: it is a folder", "os:remove", case("1", "/usr"), case("2", "/var/lib"), via="thread")
    table.bug(
        "thread: no way to connect",
        "socket:create_connection",
        case("1", ("127.0.0.1", 9)),
        case("2", ("127.0.0.1", 11)),
        via="thread",
    )
    table.bug(
        "thread: command is missing",
        "subprocess:run",
        case("1", ["frobnicate"]),
        case("2", ["frobnicate"]),
        via="thread",
    )
    table.bug(
        "loop: JSON is cut off", "json:loads", case("1", "{"), case("2", '{"a": 1, '), case("3", "{ "), via="asyncio"
    )
    table.bug("loop: file is missing", "os:stat", case("1", "/data/17"), case("2", "/data/x/y.csv"), via="asyncio")
    table.bug(
        "thread: server refuses",
        "requests:get",
        case("1", "http://127.0.0.1:9/a"),
        case("2", "http://127.0.0.1:11/b?c=17"),
        via="thread",
    )
    table.bug(
        "thread: URL has no scheme", "requests:get", case("1", "example.org/a"), case("2", "10.0.0.7/b"), via="thread"
    )
    table.bug(
        "thread: no adapter",
        "requests:get",
        case("1", "ftp://example.org/a"),
        case("2", "sftp://10.0.0.7/b"),
        via="thread",
    )


def _parsing(table: Table) -> None:
    table.bug(
        "settings are no JSON",
        "reader.parse:settings",
        case("empty", ""),
        case("goes on", "{} {}", via="flask"),
        case("cut off", '{"a": ', shift=3),
        case("in a text", "nan?", style="stderr"),
    )
    table.bug(
        "lines are no JSON", "reader.parse:lines", case("1", "x", python="3.11"), case("2", "1\ny", python="3.13")
    )
    table.bug("point without y", "reader.parse:typed", case("1", '{"x": 1}'), case("2", '[{"x": 17}]', shift=1))
    table.bug("point is no JSON", "reader.parse:typed", case("1", '{"x": '), case("2", "{'x': 1}", shift=2))
    table.bug(
        "value is no JSON",
        "reader.parse:dump",
        case("a set", {1}),
        case("another set, newer notes", {2, 3}, python="3.13"),
        case("bytes", b"a", python="3.12"),
    )
    table.bug(
        "config is no YAML", "reader.parse:config", case("1", "a: [1\nb: 2"), case("2", "x: [\n\n\ny: {", shift=2)
    )
    table.bug(
        "secrets are no YAML", "reader.parse:secrets", case("1", "a: [1\nb: 2"), case("2", "q: [5\nr: 6", shift=1)
    )
    table.bug(
        "pattern is none",
        "reader.parse:pattern",
        case("class is called error", "(a", python="3.11"),
        case("still", "[b", python="3.12"),
        case("class is called PatternError", "(a(", python="3.13"),
        case("in a text", "*", python="3.13", style="stderr"),
    )
    table.bug("match without a name", "reader.parse:replace", case("1", "a", "abc"), case("2", "[0-9]", "x5", shift=2))
    table.bug("header is short", "reader.parse:header", case("1", b"a"), case("2", b"abc", via="celery"))
    table.bug("trailer is short", "reader.parse:trailer", case("1", b"a"), case("2", b"abc", via="celery"))
    table.bug(
        "archive is no zip",
        "reader.parse:archive",
        case("one module", b"a", python="3.11"),
        case("a package", b"b" * 40, python="3.12"),
        case("a package, in a text", b"", python="3.13", style="stderr"),
    )
    table.bug("archive lacks a member", "reader.parse:member", case("1", "x/17.txt"), case("2", "b", shift=2))
    table.bug("amount is no number", "reader.parse:amount", case("1", "1,50"), case("2", "5 EUR", via="django"))
    table.bug("day is none", "reader.parse:day", case("1", "1.11.2026"), case("goes on", "2026-11-01T00", shift=1))
    table.bug("moment is none", "reader.parse:moment", case("1", "today"), case("2", "2026-13-45", style="queue"))
    table.bug("no beginning", "reader.parse:moments", case("1", "x/2026-11-01"), case("2", "y/2026-11-01", shift=1))
    table.bug("no end", "reader.parse:moments", case("1", "2026-11-01/x"), case("2", "2026-11-02/", shift=2))
    table.bug("no UTF-8", "reader.parse:decoded", case("1", b"\xff\xfea"), case("2", b"abc\xe4\xf6", via="flask"))
    table.bug("no ASCII", "reader.parse:encoded", case("1", "stra\u00dfe"), case("2", "\u20ac 17", shift=2))
    table.bug("blob is not padded", "reader.parse:blob", case("1", "YWJ"), case("2", "YWJjZGVmZ2", shift=1))
    table.bug("no address", "reader.parse:address", case("1", "10.0.0.256"), case("2", "db-1:5432", via="executor"))
    table.bug("no identity", "reader.parse:identity", case("1", "x17"), case("2", "6b1f7f7e-40a5", shift=2))
    table.bug("no colour", "reader.parse:colour", case("1", "pink"), case("2", 17, shift=2))
    table.bug("no section", "reader.parse:ini", case("1", "[a]\n"), case("2", "", shift=2))
    table.bug("section without head", "reader.parse:ini", case("1", "a = 1"), case("2", "\nport = 17\n", via="flask"))
    table.bug("tree is cut off", "reader.parse:xml_tree", case("1", "<a>"), case("2", "<a>\n<b/>\n", via="celery"))
    table.bug("count is no int", "reader.parse:options", case("1", "--count", "x"), case("2", "--count=1.5", shift=2))
    table.bug(
        "table without names",
        "reader.parse:table",
        case("1", "a\n1\n", python="3.11"),
        case("2", "b,c\n1,2\n", python="3.12"),
    )
    table.bug("row without rank", "reader.parse:sort", case("1", [{}]), case("2", [{"rank": 1}, {}], via="thread"))
    table.bug("row without a name", "reader.parse:longest", case("1", [{}]), case("2", [{"name": ""}, {}], shift=1))
    table.bug("digit is nought", "reader.parse:sub", case("1", "a 0"), case("2", "b 7 0", shift=3))
    table.bug(
        "server of prices refuses",
        "reader.client:prices",
        case("1", "http://127.0.0.1:9/a"),
        case("2", "http://127.0.0.1:13/b/17"),
    )
    table.bug("server of stock refuses", "reader.client:stock", case("1", "http://127.0.0.1:9/a"))
    table.bug("URL of prices is none", "reader.client:prices", case("1", "example.org/17"), case("2", "/a/b", shift=2))


def _serving(table: Table) -> None:
    table.bug("invoice without total", "reader.pages:render", case("1", "invoice.html", {"customer": {"name": "A"}}),
              case("2", "invoice.html", {"customer": {"name": "B"}}, via="flask"),
              case("moved in the template", "invoice.html", {"customer": {}},
                   edits=(('"<p>{{ customer.name', '"<p>Hello</p>\\n<p>{{ customer.name'),)))  # fmt: skip
    table.bug(
        "invoice without customer",
        "reader.pages:render",
        case("1", "invoice.html", {}),
        case("2", "invoice.html", {"x": 1}),
    )
    table.bug(
        "mail without customer",
        "reader.pages:render",
        case("1", "mail.html", {}),
        case("2", "mail.html", {"x": 1}, via="celery"),
    )
    table.bug(
        "page misses something",
        "reader.pages:render",
        case("1", "page.html", {}),
        case("2", "page.html", {"a": 1}, shift=2),
    )
    table.bug(
        "template is broken",
        "reader.pages:render",
        case("1", "broken.html", {}),
        case("2", "broken.html", {}, via="flask"),
    )
    table.bug("macro divides", "reader.pages:render", case("1", "macro.html", {}), case("2", "macro.html", {}, shift=1))
    table.bug(
        "answer lacks a path",
        "reader.serve:serve",
        case("GET", b"GET /a HTTP/1.0\r\n\r\n"),
        case("another path", b"GET /b/17 HTTP/1.0\r\n\r\n", shift=2),
    )
    table.bug(
        "nothing can be put",
        "reader.serve:serve",
        case("1", b"PUT /a HTTP/1.0\r\n\r\n"),
        case("2", b"PUT /17 HTTP/1.0\r\n\r\n"),
    )
    table.bug("forgotten task divides", "reader.serve:forget", case("1", 0), case("2", 0, shift=3), case("3", 0.0))
    table.bug("forgotten task indexes", "reader.serve:forget_too", case("1", 0), case("2", 5, shift=3))
