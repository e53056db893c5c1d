"""Secrets in the texts of other programs: what they dump, send and complain about."""

from __future__ import annotations

import base64
import json
import time

import pytest

from loghub.event import dumps
from loghub.scrub import Scrubber

SECRET = "Zq7pLm2Vx9Kt"
CODED = base64.b64encode(b"\0bob\0Zq7pLm2Vx9Kt!").decode()
PAIRS = {
    "json": '{"name": "DB_PASSWORD", "value": "Zq7pLm2Vx9Kt"}',
    "json over lines": '{\n  "name": "DB_PASSWORD",\n  "value": "Zq7pLm2Vx9Kt"\n}',
    "json in json": json.dumps({"body": json.dumps({"Name": "api_token", "Value": SECRET}, indent=1)}),
    "repr": "[{'name': 'DB_PASSWORD', 'value': 'Zq7pLm2Vx9Kt'}]",
    "kubernetes": "env:\n- name: DB_PASSWORD\n  value: Zq7pLm2Vx9Kt\n",
    "yaml on one line": "{name: DB_PASSWORD, value: Zq7pLm2Vx9Kt}",
    "xml": '<add key="Password" value="Zq7pLm2Vx9Kt"/>',
    "xml text": '<property name="db.password">Zq7pLm2Vx9Kt</property>',
    "list": '["password", "Zq7pLm2Vx9Kt"]',
}
VALUES = {
    "words": "password: correct horse battery",
    "words after an equals sign": "[db]\npassword = correct horse battery\nuser = bob",
    "words in a repr": r"'host: x\npassword: correct horse battery\nport: 1'",
    "yaml block": "db:\n  password: |\n    Zq7pLm2Vx9Kt\n    battery\n  port: 1",
    "yaml folded": "api_key: >-\n  Zq7pLm2Vx9Kt\nport: 1",
    "yaml block in a repr": r"'password: |\n  Zq7pLm2Vx9Kt\nport: 1'",
    "form": "user=bob&password=ab%26Zq7pLm2Vx9Kt&x=1 port: 1",
    "entities": "{&quot;password&quot;: &quot;Zq7pLm2Vx9Kt&quot;}",
    "code points": r"{\u0022password\u0022: \u0022Zq7pLm2Vx9Kt\u0022}",
    "netrc": "machine x.org login bob password correcthorse\nport: 1",
    "netrc over lines": "machine x.org\n  login bob\n  password Zq7pLm2Vx9Kt\n",
    "login": "failed: login bob password Zq7pLm2Vx9Kt",
    "mysql": "CREATE USER 'bob'@'%' IDENTIFIED BY 'Zq7pLm2Vx9Kt'",
    "mysql plugin": "identified with mysql_native_password by 'Zq7pLm2Vx9Kt'",
    "smtp": f"send: 'AUTH PLAIN {CODED}\\r\\n'",
    "slashes": r'{"url": "https:\/\/bob:Zq7pLm2Vx9Kt@y.org"}',
}
STATEMENTS = {
    "insert": "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: ('bob', 'Zq7pLm2Vx9Kt')]",
    "format": '[SQL: INSERT INTO "users" ("password", name) VALUES (%s, %s)]\n[parameters: ("Zq7pLm2Vx9Kt", \'bob\')]',
    "many": (
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n"
        "[parameters: [('bob', 'x1'), ('eve', 'Zq7pLm2Vx9Kt')  ... displaying 2 of 90 total bound parameter sets]]"
    ),
    "update": "[SQL: UPDATE users SET name=?, password=? WHERE users.id = ?]\n[parameters: ('bob', 'Zq7pLm2Vx9Kt', 7)]",
    "named": (
        "[SQL: INSERT INTO users (name, password) VALUES (%(n)s, %(p)s)]\n"
        "[parameters: {'n': 'bob', 'p': 'Zq7pLm2Vx9Kt'}]"
    ),
    "several rows": (
        "[SQL: INSERT INTO users (name, password) VALUES (%(n_m0)s, %(p_m0)s), (%(n_m1)s, %(p_m1)s)]\n"
        "[parameters: {'n_m0': 'bob', 'p_m0': 'x1', 'n_m1': 'eve', 'p_m1': 'Zq7pLm2Vx9Kt'}]"
    ),
}


@pytest.fixture(scope="module")
def scrubber():
    """One scrubber without anything of the user's."""
    return Scrubber()


@pytest.mark.parametrize("kind", PAIRS)
def test_pair(scrubber, kind):
    """A value that is said to be a secret's by the name before it is gone."""
    clean = scrubber.text(PAIRS[kind])
    assert SECRET not in clean
    assert "alue" not in PAIRS[kind] or "alue" in clean
    assert SECRET not in scrubber.text(f"x\n{json.dumps(PAIRS[kind])}")


def test_pairs_as_objects(scrubber):
    """Objects of a name and a value in any case, and lists of two, hide the value; lists of names stay."""
    info = {
        "a": [{"Name": "DB_PASSWORD", "Value": SECRET}, {"NAME": "api_token", "VALUE": SECRET}],
        "b": [["password", SECRET], ["Authorization", f"Bearer {SECRET}"]],
    }
    assert SECRET not in dumps(scrubber.event({"additional_info": info}))
    names = {"fields": ["password", "username"], "more": ["password", "email", "name"]}
    assert scrubber.event({"additional_info": names})["additional_info"] == names


@pytest.mark.parametrize("kind", VALUES)
def test_value(scrubber, kind):
    """However it is written, the whole value is gone, and what follows it stays."""
    clean = scrubber.text(VALUES[kind])
    assert not any(part in clean for part in (SECRET, "horse", "battery", CODED))
    assert "port: 1" in clean or "port: 1" not in VALUES[kind]


@pytest.mark.parametrize("kind", STATEMENTS)
def test_parameters(scrubber, kind):
    """Of the parameters of an SQL statement those of secret columns are gone, and the others stay."""
    clean = scrubber.text(STATEMENTS[kind])
    assert SECRET not in clean
    assert "x1" not in clean
    assert "'bob'" in clean
    assert SECRET not in scrubber.text(STATEMENTS[kind].replace("\n", "\\n"))


def test_parameters_elsewhere(scrubber):
    """What a statement gives away is gone from the other fields of its event."""
    event = scrubber.event({"message": STATEMENTS["insert"], "notes": [f"row: {SECRET}"]})
    assert SECRET not in dumps(event)


def test_complaints_in_objects(scrubber):
    """What a form says of a password stays, and a list of passwords does not."""
    info = {"password": ["This field may not be blank.", "Ensure this field has at least 8 characters."]}
    assert scrubber.event({"additional_info": info})["additional_info"] == info
    info = {"password": ["This field may not be blank.", SECRET]}
    assert SECRET not in dumps(scrubber.event({"additional_info": info}))


def test_brackets_that_never_close(scrubber):
    """Thousands of brackets that nobody closes are looked at once, not once for each of them."""
    text = ('("password", p-a-s-s-\npassword=pat' * 2_000)[:65_536]
    before = time.process_time()
    clean = scrubber.text(text)
    assert time.process_time() - before < 0.3
    assert "=pat" not in clean


def test_odd_shape_within_a_hint(scrubber):
    """A token that begins with anything is found where its dot belongs to what another kind begins with."""
    token = "MTIzNDU2Nzg5MDEyMzQ1NjcSG.GabcDE.abcdefghijklmnopqrstuvwxyz0"
    assert scrubber.text(f"bot {token}") == "bot [Filtered]"
