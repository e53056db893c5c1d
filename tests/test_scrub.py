"""Secrets out, sizes bounded: planted secrets, innocents, hostile values, and what must hold for any text.

No secret is real, and those with a known shape are put together here, so that no scanner takes them for real.
"""

from __future__ import annotations

import base64
import collections
import copy
import datetime as dt
import decimal
import json
import math
import urllib.parse
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub import scrub
from loghub.errors import OptionValueError
from loghub.event import Shared, dumps
from loghub.scrub import PLACEHOLDER, Scrubber, is_secret_name

A36 = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
HEX32 = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzEXAMPLKEY"
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S"
PEM = "-----BEGIN RSA " + f"PRIVATE KEY-----\n{PEM_BODY}\n-----END RSA " + "PRIVATE KEY-----"

# What stands in the text, and what of it must be gone.
SECRETS = {
    "github classic": ("cloning with ghp_" + A36, "ghp_" + A36),
    "github oauth": ("gho_" + A36 + " was refused", "gho_" + A36),
    "github app": ("x-access-token:ghs_" + A36, "ghs_" + A36),
    "github refresh": ("(ghr_" + A36 + ")", "ghr_" + A36),
    "github fine-grained": ("using github_pat_" + A36[:22] + "_" + A36, A36),
    "github in a repr": (r"'line one\nghp_" + A36 + "'", A36),
    "gitlab": ("glpat-" + A36[:20], A36[:20]),
    "slack bot": ("xoxb-" + "123456789012-" + A36[:24], A36[:24]),
    "slack app": ("xapp-1-" + "A0123456789-" + A36, A36),
    "slack hook": ("POST https://hooks.slack.com/services/" + "T0001/B0002/" + A36[:24], A36[:24]),
    "discord hook": ("https://discord.com/api/webhooks/123456789/" + A36, A36),
    "stripe live": ("sk_live_" + A36[:24], A36[:24]),
    "stripe restricted": ("rk_test_" + A36[:24], A36[:24]),
    "stripe hook": ("whsec_" + A36, A36),
    "openai": ("Incorrect API key provided: sk-" + A36 + ".", A36),
    "openai project": ("sk-proj-" + A36, A36),
    "anthropic": ("x-api-key sk-ant-api03-" + A36, A36),
    "aws id": ("AKIA" + "IOSFODNN7EXAMPLE" + " is not allowed", "IOSFODNN7EXAMPLE"),
    "aws temporary id": ("ASIA" + "IOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
    "aws secret": ("the AWS secret " + AWS_SECRET + " was refused", AWS_SECRET),
    "aws variable": ("AWS_SECRET_ACCESS_KEY=" + AWS_SECRET, AWS_SECRET),
    "google": ("https://maps.example/api?key=AIza" + A36[:35], A36[:35]),
    "google oauth": ("ya29." + A36, A36),
    "azure account": (
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + A36 + A36 + "==;EndpointSuffix=x",
        A36,
    ),
    "azure signature": ("https://shop.blob.example/c?sv=2022-11-02&sig=" + A36 + "%3D&se=2026", A36),
    "npm": ("npm_" + A36, A36),
    "pypi": ("pypi-AgEIcHlwaS5vcmcC" + A36, A36),
    "sendgrid": ("SG." + A36[:22] + "." + A36, A36),
    "twilio": ("SK" + HEX32, HEX32),
    "telegram": ("bot 123456789:AA" + A36[:33], A36[:33]),
    "discord bot": ("MTIzNDU2Nzg5MDEyMzQ1Njc4OQ" + ".GabcDE." + A36, A36),
    "jwt": ("token expired " + JWT, JWT[-20:]),
    "pem": ("key:\n" + PEM, "MzEfYyjiWA4R4"),
    "pem on one line": (PEM.replace("\n", "\\n"), "MzEfYyjiWA4R4"),
    "pem cut off": (PEM[:160], PEM_BODY[:40]),
    "bearer": ("Authorization: Bearer qwertzu", "qwertzu"),
    "bearer alone": ("sent Bearer a1b2c3d4e5f6", "a1b2c3d4e5f6"),
    "basic": ("authorization: Basic dXNlcjpodW50ZXIyIQ==", "dXNlcjpodW50ZXIyIQ"),
    "token header": ("'Authorization': 'token zz9-plural'", "zz9-plural"),
    "digest": ('Authorization: Digest username="bob", response="6629fae49393"', "6629fae49393"),
    "asgi header": ("[(b'authorization', b'Bearer zz9-plural')]", "zz9-plural"),
    "custom header": ("X-Api-Key: zz9-plural", "zz9-plural"),
    "cookie": ("Cookie: sid=zz9; theme=dark; sessionid=plural8", "plural8"),
    "set-cookie": ("Set-Cookie: sid=zz9plural; Path=/; HttpOnly", "zz9plural"),
    "url": ("postgresql://shop:hunter2@db.example/orders", "hunter2"),
    "url without user": ("redis://:hunter2@cache.example:6379/0", "hunter2"),
    "url with odd password": ("amqp://shop:hun/ter#2@mq.example", "ter#2"),
    "url with at": ("mysql://shop:hun@ter2@db.example/x", "ter2"),
    "go dsn": ("shop:hunter2@tcp(127.0.0.1:3306)/orders", "hunter2"),
    "query": ("GET /reset?user=7&token=zz9plural&x=1", "zz9plural"),
    "encoded query": ("next=%2Fx%3Ftoken%3Dzz9plural%26y%3D1", "zz9plural"),
    "assignment": ("connect failed: host=db password=hunter2 user=bob", "hunter2"),
    "assignment with comma": ("password=hun,ter2, user=bob", "ter2"),
    "json": ('{"user": "bob", "password": "hun\\"ter2"}', "ter2"),
    "json in json": (json.dumps({"body": json.dumps({"api_key": "zz9plural"})}), "zz9plural"),
    "yaml": ("smtp:\n  password: 'hunter2'\n  port: 25", "hunter2"),
    "yaml bare": ("  db_password: hunter2\n", "hunter2"),
    "keyword": ("connect(user='bob', passwd=b'hunter2')", "hunter2"),
    "other type": ("SECRET_KEY: Final[str] = 'hunter2'", "hunter2"),
    "call": ("auth=HTTPBasicAuth('bob', 'hunter2'), x=1", "hunter2"),
    "encoded json": ("q=%7B%22password%22%3A%22hunter2%22%7D", "hunter2"),
    "typed": ("password: str = 'hunter2'", "hunter2"),
    "triple quotes": ('secret = """hunter2"""', "hunter2"),
    "xml": ("<user>bob</user><password>hunter2</password>", "hunter2"),
    "option": ("mysqldump --user bob --password hunter2 shop", "hunter2"),
    "option with =": ("curl --token=hunter2 x", "hunter2"),
    "option in a list": ("['curl', '--api-key', 'hunter2', 'x']", "hunter2"),
    "list": ("'recovery_passwords': ['hunter2', 'hunter3']", "hunter3"),
    "postgres detail": ("DETAIL: Key (reset_token)=(zz9plural) already exists.", "zz9plural"),
    "prose": ("login with password 'hunter2' failed", "hunter2"),
    "colours": ("\x1b[36mpassword\x1b[0m=\x1b[35mhunter2\x1b[0m", "hunter2"),
    "camel case": ("clientSecret: 'zz9plural'", "zz9plural"),
    "prose key": ("API key: zz9plural8", "zz9plural8"),
    "hex beside token": ("invalid token 3f786850e387550fdab836ed7e6dc881de23001b", "3f786850e387550f"),
    "card": ("card 4111111111111111 declined", "4111111111111111"),
    "card with spaces": ("5555 5555 5555 4444", "5555 5555 5555 4444"),
    "card with dashes": ("3782-822463-10005", "822463"),
}

INNOCENTS = [
    "deployed 3f786850e387550fdab836ed7e6dc881de23001b",
    "commit 89e6c98d92887913cadf06b2adb97f26cde4849b is bad",
    "order 550e8400-e29b-41d4-a716-446655440000 not found",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "duplicate value for primary key 550e8400-e29b-41d4-a716-446655440000",
    "cache key e3b0c44298fc1c149afbf4c8996fb924 expired",
    "md5 d41d8cd98f00b204e9800998ecf8427e",
    "wrong password for user bob",
    "password authentication failed for user bob",
    "password: must be at least 8 characters",
    "password is required",
    "Password: ",
    "password=",
    "password=None",
    "passwords: []",
    "def login(password: str, token: bytes):",
    "token_ids=[1, 2]",
    "password='***'",
    "password=${DB_PASSWORD}",
    "password=%s",
    "password={password}",
    "password: <hidden>",
    "Authorization failed for bob",
    "Authorization is required",
    "the authorization header is missing",
    "Basic authentication is not supported",
    "Bearer token is missing",
    "bearer of bad news",
    "invalid token: expected EOF",
    "Unexpected token '<' at line 1",
    "SyntaxError: unexpected token: NEWLINE",
    "token_count=512 tokens=17 max_tokens=4096",
    "token: 5",
    "author=Somebody coauthor=Nobody",
    "author: somebody",
    "tokenizer=bpe_large_v2",
    "monkey=george keyboard=qwerty",
    "primary_key=order_id foreign_key=customer_id",
    "session_count=12 session_timeout=3600",
    "pinned=yes mapping=x spinner=y",
    "password_field=pw1 password_length=12",
    "secretary: somebody",
    "KeyError: 'customer_id'",
    "KeyError: 'password'",
    "key=value",
    "sort key: created_at_desc",
    "public_key=abc123def456",
    "token_url=https://login.example/token",
    "cookie_name=shop_session_v2",
    "/usr/lib/python3.11/site-packages/requests/sessions.py",
    "/run/secrets/db_password: No such file or directory",
    "shop.auth: user logged in",
    "INFO:shop.session:started",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "from cryptography.hazmat.primitives import serialization",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
    "logo-iVBORw0KGgoAAAANSUhEUgAA.png",
    "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaft",
    "order 1234567890123456",
    "order 4111111111111112",
    "invoice 20261112-000123456789",
    "at 1700000000000 ms, 1700000000000000000 ns",
    "2026-11-12T10:00:00.123456+00:00",
    "call +4915112345678",
    "0.4111111111111111",
    "id=a4111111111111111f",
    "http://localhost:8080/api?email=bob@example.com",
    "git+https://github.com/org/repo@v1.2.3",
    "docker://registry.example:5000/shop@sha256:e3b0c442",
    "mailto:bob@example.com",
    "http://[::1]:8080/x",
    "postgresql://shop@db.example/orders",
    "https://example.com/login?next=/orders&code=42",
    "task-sk-based risk-assessment disk-usage-of-the-machine",
    "sk-fading-circle-with-a-long-name",
    "npm_config_registry npm_package_name",
    "pypi-server and pypi-mirror",
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----",
    "ModuleNotFoundError: No module named 'secrets_of_shop'",
    "<sqlalchemy.orm.session.Session object at 0x7f1234567890>",
    "sessions: 12, cookies enabled",
    "--author bob --dry-run --tokenizer bpe",
    "fields ('username', 'email', 'age')",
    "https://sentry.example/api/17/envelope/",
    "v1:0123456789abcdef",
    "AKIA is a prefix",
    "ghp_ is a prefix, ghp_short too",
    "eyJ is how they start",
]

SECRET_NAMES = [
    *("password", "PASSWORD", "Password", "db_password", "dbPassword", "DB-PASSWORD", "userpassword", "passwd"),
    *("pwd", "secret", "client_secret", "clientSecret", "secrets", "token", "access_token", "accessToken", "authtoken"),
    *("api_key", "apikey", "apiKey", "X-Api-Key", "APIKey", "access_key", "AWS_SECRET_ACCESS_KEY", "private_key"),
    *("credential", "credentials", "authorization", "Proxy-Authorization", "auth", "http_auth", "cookie", "Set-Cookie"),
    *("session", "sessionid", "session_id", "PHPSESSID", "JSESSIONID", "csrf", "csrf_token", "csrfmiddlewaretoken"),
    *("X-CSRFToken", "ssn", "card_number", "cardNumber", "cvv", "CVV2", "pin", "jwt", "otp", "passphrase", "db_pass"),
    *("signing_key", "encryptionKey", "password_hash", "refresh_tokens", "AccountKey"),
    *("passWord", "PassWord", "pass_word", "PASS-WORD", "pass_phrase", "passPhrase", "Passwort", "pswd", "wifi_psk"),
    *("fernet_key", "otp_code", "pass1", "pass2", "passkey", "access_code", "accessCode", "bindpw"),
]
INNOCENT_NAMES = [
    *("author", "authority", "tokenizer", "token_count", "tokenCount", "tokens", "max_tokens", "monkey", "keyboard"),
    *("session_count", "session_timeout", "primary_key", "foreign_key", "public_key", "key", "keys", "pinned"),
    *("mapping", "spin", "password_field", "password_length", "password_changed_at", "cookie_name", "token_url"),
    *("token_type", "expires_in", "auth_backend", "secretary", "compass", "bypass", "access_key_id", "is_secret", ""),
    *("has_password", "key_id", "passenger", "signature", "hash", "user", "email", "class", "discard", "cardinality"),
]


@pytest.fixture(scope="module")
def scrubber():
    """One scrubber without anything of the user's."""
    return Scrubber()


def plain_event(**fields):
    """Return an event with twelve clean frames."""
    frames = [
        {"file": f"/srv/shop/m{n}.py", "module": f"shop.m{n}", "function": f"f{n}", "line": n, "column": None,
         "code": f"return f{n + 1}(order)", "in_app": True}
        for n in range(12)
    ]  # fmt: skip
    event = {
        "timestamp": "2026-11-12T10:00:00.123Z",
        "error_type": "ValueError",
        "error_message": "no such order",
        "traceback": "Traceback (most recent call last):\n  ...\nValueError: no such order\n",
        "additional_info": {"order": 17},
        "id": "0f" * 16,
        "fingerprint": "v1:0123456789abcdef",
        "message": "charge failed for order 17",
        "template": "charge failed for order %s",
        "args": [17],
        "frames": frames,
        "causes": [],
        "breadcrumbs": [],
    }
    return {**event, **fields}


PLACES = {
    "error_message": lambda text: {"error_message": text},
    "message and template": lambda text: {"message": text, "template": text},
    "traceback": lambda text: {"traceback": f'  File "x.py", line 1, in f\n    f()\nValueError: {text}\n'},
    "context": lambda text: {"additional_info": {"detail": text}},
    "nested context": lambda text: {"additional_info": {"a": [{"b": ({"c": text},)}]}},
    "key": lambda text: {"additional_info": {text: 1}},
    "args": lambda text: {"args": [text]},
    "named args": lambda text: {"args": {"what": text}},
    "notes": lambda text: {"notes": [text]},
    "breadcrumb": lambda text: {"breadcrumbs": [{"message": text, "level": "INFO"}]},
    "cause": lambda text: {"causes": [{"error_type": "OSError", "error_message": text}]},
    "member of a group": lambda text: {
        "exceptions": [{"error_type": "E", "exceptions": [{"causes": [{"error_message": text, "notes": [text]}]}]}]
    },
    "locals": lambda text: {"frames": [{"file": "x.py", "line": 1, "locals": {"row": repr(text)}}]},
    "string in code": lambda text: {"frames": [{"file": "x.py", "line": 1, "code": f"run({text!r})"}]},
    "file": lambda text: {"frames": [{"file": text, "line": 1}]},
    "system": lambda text: {"system": {"cmdline": text}},
    "thread": lambda text: {"thread": {"id": 1, "name": text}},
    "logger": lambda text: {"logger": text},
    "unknown key": lambda text: {"more": text},
    "bytes": lambda text: {"additional_info": {"body": text.encode()}},
    "object": lambda text: {"additional_info": {"request": collections.UserString(text)}},
}


class TestShapes:
    @pytest.mark.parametrize("kind", SECRETS)
    def test_secret_in_a_text(self, scrubber, kind):
        """A secret of each kind is replaced, and the text says so."""
        text, secret = SECRETS[kind]
        clean = scrubber.text(text)
        assert secret in text
        assert secret not in clean
        assert PLACEHOLDER in clean

    @pytest.mark.slow
    @pytest.mark.parametrize("place", PLACES)
    def test_secret_in_every_place(self, scrubber, place):
        """Wherever an event can hold a text, no kind of secret comes through."""
        leaked = []
        for kind, (text, secret) in SECRETS.items():
            event = scrubber.event(plain_event(**PLACES[place](text)))
            if json.dumps(secret)[1:-1] in dumps(event) or secret in repr(event):
                leaked.append(kind)
        assert leaked == []

    def test_encoded_url(self, scrubber):
        """A password within a URL that is percent-encoded in another's query is taken out, the rest stays."""
        text = "GET /pay?dsn=postgresql%3A%2F%2Fshop%3AhuNter2-77%40db.internal%3A5432%2Fshop&x=1 failed"
        clean = text.replace("huNter2-77", "[Filtered]")
        assert scrubber.text(text) == clean
        hook = "next=https%3A%2F%2Fhooks.slack.com%2Fservices%2FT0%2FB0%2FabcDEF123"
        assert "abcDEF" not in scrubber.text(hook)
        assert scrubber.text("next=https%3A%2F%2Fshop.example%2Fa%3Fb") == "next=https%3A%2F%2Fshop.example%2Fa%3Fb"

    def test_after_a_percent_escape(self, scrubber):
        """The digits of a percent escape are not the beginning of the word behind it."""
        for token in ("AKIA" + "ABCDEFGHIJKLMNOP", "sk-proj-" + "a1B2c3D4e5F6g7H8", "sbp_" + "8a696e47" * 5):
            assert scrubber.text(f"x%3D{token}") == "x%3D[Filtered]"
            assert scrubber.text(f"x%20{token} y") == "x%20[Filtered] y"

    def test_hint_within_a_hint(self, scrubber):
        """What makes a text worth a look may begin within something else that does."""
        token = "npm_" + "a1B2c3D4e5" * 4
        assert scrubber.text(f"cc{token}\\") == "cc[Filtered]\\"

    @pytest.mark.parametrize("text", INNOCENTS)
    def test_innocent_stays(self, scrubber, text):
        """What only looks like a secret is left alone, in texts and in events."""
        assert scrubber.text(text) == text
        event = plain_event(message=text, additional_info={"detail": text})
        assert scrubber.event(event) == event

    def test_readable_rest(self, scrubber):
        """Scheme, user and host stay readable, and so does the kind of an authorization."""
        assert scrubber.text("postgresql://shop:hunter2@db/orders") == "postgresql://shop:[Filtered]@db/orders"
        assert scrubber.text("Authorization: Bearer abcdef") == "Authorization: Bearer [Filtered]"
        assert scrubber.text('{"password": "x1", "user": "bob"}') == '{"password": "[Filtered]", "user": "bob"}'
        assert scrubber.text("?token=x1&page=2") == "?token=[Filtered]&page=2"
        assert scrubber.text("https://hooks.slack.com/services/T0/B0/x") == (
            "https://hooks.slack.com/services/[Filtered]"
        )

    def test_expressions_in_code_stay(self, scrubber):
        """A source line keeps its expressions, but not its literals, nor what is inside a string."""
        lines = {
            "password = get_password(user)": "password = get_password(user)",
            "connect(user, password=settings.PASSWORD)": "connect(user, password=settings.PASSWORD)",
            "if token == other:": "if token == other:",
            "connect(password='hunter2')": "connect(password='[Filtered]')",
            'connect("host=x password=hunter2")': 'connect("host=x password=[Filtered]")',
        }
        for line, clean in lines.items():
            event = scrubber.event(
                plain_event(frames=[{"code": line}], traceback=f'  File "x", line 1, in f\n    {line}\n')
            )
            assert event["frames"][0]["code"] == clean
            assert event["traceback"].splitlines()[1] == f"    {clean}"

    def test_message_that_looks_like_code(self, scrubber):
        """What follows the source line of a traceback is a message, and gets no leniency."""
        text = '  File "x", line 1, in f\n    f(a)\nValueError: password = hunter2\n    password = hunter3\n'
        assert "hunter" not in scrubber.text(text)


class TestNames:
    @pytest.mark.parametrize("name", SECRET_NAMES)
    def test_secret_name(self, scrubber, name):
        """The value under a secret's name is hidden, in dicts at any depth and in texts."""
        assert is_secret_name(name)
        event = scrubber.event(plain_event(additional_info={"a": [{name: "zz9-plural"}]}, message=f"{name}=zz9-plural"))
        assert "zz9-plural" not in dumps(event)

    @pytest.mark.parametrize("name", INNOCENT_NAMES)
    def test_innocent_name(self, scrubber, name):
        """The value under a name that only resembles a secret's stays."""
        assert not is_secret_name(name)
        event = plain_event(additional_info={name: "zz9-plural"}, message=f"{name}=zz9-plural")
        assert scrubber.event(event) == event

    @pytest.mark.parametrize(
        "text",
        [
            r'{"stderr": "host=x\napi_key=zz9-plural\nsession_id=zz9-plural\npass=zz9-plural\n"}',
            r"b'GET / HTTP/1.1\r\ncookie: sid=zz9-plural\r\nauthorization: zz9-plural'",
            r'{"body": "{\\npass: zz9-plural\\n}"}',
            r"b'host\tpass=zz9-plural\tacme_id=zz9-plural'",
            r"'\x0apass=zz9-plural\u000apin=zz9-plural'",
            r"C:\token=zz9-plural",
        ],
    )
    def test_name_after_an_escape(self, text):
        """What a backslash makes of a letter is no part of the name behind it, the user's own included."""
        assert "zz9-plural" not in Scrubber(["acme_id"]).text(text)

    def test_any_value_under_a_secret_name(self, scrubber):
        """Numbers and containers are hidden; that there is no value at all may be said."""
        info = {"pin": 1234, "credentials": {"a": [1]}, "token": b"x", "password": None, "secret": "", "auth": False}
        clean = scrubber.event({"additional_info": info})["additional_info"]
        assert clean == {
            "pin": PLACEHOLDER, "credentials": PLACEHOLDER, "token": PLACEHOLDER, "password": None,
            "secret": "", "auth": False,
        }  # fmt: skip

    def test_pairs(self, scrubber):
        """Header tuples and name-value objects are keys and values too."""
        info = {
            "headers": [("Host", "x"), (b"authorization", b"zz9-plural")],
            "environment": [{"name": "DB_PASSWORD", "value": "zz9-plural"}, {"name": "LANG", "value": "C"}],
        }
        event = scrubber.event({"additional_info": info})
        assert "zz9-plural" not in dumps(event)
        assert event["additional_info"]["environment"][1] == {"name": "LANG", "value": "C"}

    def test_card_as_a_number(self, scrubber):
        """A card number that is a number is hidden, other long numbers stay."""
        info = {"a": 4111111111111111, "b": 1700000000000000000, "c": 4111111111111112}
        clean = scrubber.event({"additional_info": info})["additional_info"]
        assert clean == {"a": PLACEHOLDER, "b": 1700000000000000000, "c": 4111111111111112}

    def test_acquaintance(self, scrubber):
        """What stands beside a name in one field is removed from the others: args, locals, URLs."""
        event = plain_event(
            message="login failed: password=hunter2",
            template="login failed: password=%s",
            args=["hunter2"],
            frames=[{"file": "x", "locals": {"row": "('bob', 'hunter2')"}}],
            additional_info={"url": "/login?p=hunter2"},
        )
        assert "hunter2" not in dumps(scrubber.event(event))

    def test_acquaintance_in_args(self, scrubber):
        """An argument that the message shows beside a name goes too, plain word or not; the word stays elsewhere."""
        event = plain_event(message="password=swordfish", args=["swordfish", "bob"], notes=["a swordfish is a fish"])
        clean = scrubber.event(event)
        assert clean["args"] == [PLACEHOLDER, "bob"]
        assert clean["notes"] == ["a swordfish is a fish"]


class TestValues:
    SECRET = "s3cr3t/Valu+e=x9 k"

    @pytest.fixture
    def owner(self):
        """A scrubber that knows one credential of loghub's."""
        return Scrubber(secrets=lambda: [self.SECRET])

    @pytest.mark.parametrize(
        "form",
        [
            SECRET,
            f"x{SECRET}y",
            urllib.parse.quote(SECRET),
            urllib.parse.quote(SECRET, safe=""),
            urllib.parse.quote_plus(SECRET),
            SECRET.replace("/", "%2f").replace("+", "%2b").replace("=", "%3d").replace(" ", "%20"),
            SECRET[:7] + "\n    " + SECRET[7:],
            SECRET[:7] + "\\\n" + SECRET[7:],
            SECRET[:4] + "\n" + SECRET[4:9] + "\n" + SECRET[9:],
            repr(SECRET[:7] + "\n" + SECRET[7:]),
        ],
    )
    def test_forms(self, owner, form):
        """A known value is found as it is, encoded for a URL, or broken over lines."""
        clean = owner.text(f"before {form} after")
        assert PLACEHOLDER in clean
        assert clean.startswith("before ")
        assert clean.endswith(" after")
        assert "Valu" not in clean

    @pytest.mark.parametrize("before", ["", "u", "us", "user:"])
    @pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
    def test_base64(self, owner, before, encode):
        """A known value is found in base64 wherever it begins there."""
        coded = encode((before + self.SECRET + "!!").encode()).decode()
        clean = owner.text(f"sent {coded}")
        assert PLACEHOLDER in clean
        assert coded[8:16] not in clean

    def test_json_form(self):
        """A known value with quotes is found in JSON and in a repr."""
        value = 'pa"ss\\wd\n1'
        owner = Scrubber(secrets=lambda: [value])
        assert "wd" not in owner.text(json.dumps({"x": value}))
        assert "wd" not in owner.text(repr([value]))

    def test_credential_that_changes(self):
        """A new credential of loghub's is known at once."""
        held = ["first-credential-1"]
        owner = Scrubber(secrets=lambda: held)
        assert owner.text("first-credential-1 second-credential-2") == "[Filtered] second-credential-2"
        held[0] = "second-credential-2"
        assert owner.text("x second-credential-2") == "x [Filtered]"

    def test_clean_text_is_not_remembered_too_long(self):
        """A text that was clean before a credential was known is looked at again."""
        held: list[str] = []
        owner = Scrubber(secrets=lambda: held)
        event = {"message": "zz9-plural-z"}
        assert owner.event(event) == event
        held.append("zz9-plural-z")
        assert owner.event(event) == {"message": PLACEHOLDER}

    def test_credentials_that_fail(self):
        """A source of credentials that fails does no harm."""

        def fails():
            raise RuntimeError("no")

        assert Scrubber(secrets=fails).text("password=hunter2 x") == "password=[Filtered] x"

    def test_environment(self, monkeypatch):
        """The value of a variable whose name says secret is hidden, and the password in any variable's URL."""
        monkeypatch.setenv("SHOP_API_KEY", "zz9pluralzalpha")
        monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://shop:hunter2hunter2@db/x")
        clean = Scrubber().text("a zz9pluralzalpha b hunter2hunter2 c")
        assert clean == "a [Filtered] b [Filtered] c"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SHOP_PASSWORD", "postgres"),
            ("SHOP_SECRET", "my-service-name"),
            ("SHOP_TOKEN", "short1"),
            ("SHOP_TOKEN", "12345678901"),
            ("SHOP_SECRET", "/run/secrets/shop"),
            ("SHOP_SECRET", "https://vault.example/v1/shop"),
            ("SHOP_NAME", "zz9pluralzalpha"),
            ("SHOP_TOKEN_URL", "zz9pluralzalpha"),
            ("PWD", "zz9pluralzalpha"),
        ],
    )
    def test_environment_innocents(self, monkeypatch, name, value):
        """Plain words, numbers, paths and addresses in the environment are not removed from texts."""
        monkeypatch.setenv(name, value)
        assert Scrubber().text(f"a {value} b") == f"a {value} b"

    def test_environment_that_changes(self, monkeypatch):
        """A changed environment is noticed, but not looked at more often than said."""
        now = [0.0]
        owner = Scrubber(clock=lambda: now[0])
        assert owner.text("a zz9pluralzalpha") == "a zz9pluralzalpha"
        monkeypatch.setenv("SHOP_API_KEY", "zz9pluralzalpha")
        now[0] = scrub.ENVIRONMENT_SECONDS - 1
        assert owner.text("a zz9pluralzalpha") == "a zz9pluralzalpha"
        now[0] = scrub.ENVIRONMENT_SECONDS
        assert owner.text("a zz9pluralzalpha") == "a [Filtered]"


class TestExtra:
    def test_name(self):
        """A user's word is a name of a secret, in any spelling, and part of longer names."""
        owner = Scrubber(["iban", "customer number"])
        info = {"IBAN": "zz9", "customerIban": "zz9", "customer_number": "zz9", "urban": "kept", "number": "kept"}
        event = owner.event({"additional_info": info, "message": "iban=zz9 customer-number: 'zz9' turban=kept"})
        assert "zz9" not in dumps(event)
        assert dumps(event).count("kept") == 3

    def test_name_that_would_be_innocent(self):
        """A user's word goes before loghub's own judgement."""
        assert Scrubber(["token_count"]).text("token_count=17xx") == "token_count=[Filtered]"

    def test_name_in_other_letters(self):
        """A name in other letters hides its own values and no others."""
        owner = Scrubber(["пароль"])
        assert owner.text("пароль=zz9 слово=kept 42=kept") == "пароль=[Filtered] слово=kept 42=kept"

    def test_pattern(self):
        """A user's pattern between slashes is replaced where it matches."""
        owner = Scrubber(["/acme-[0-9]{4,}/", "/zz9-[a-z]+/i"])
        assert owner.text("a acme-12345 b ZZ9-Plural") == "a [Filtered] b [Filtered]"

    def test_pattern_at_any_place(self):
        """A user's pattern is found everywhere in a long text."""
        owner = Scrubber(["/acme-[0-9]+/"])
        for place in (0, 3_000, 3_070, 4_090, 5_000, 9_991):
            text = "x" * place + "acme-123" + "y" * (10_000 - place)
            assert owner.text(text) == "x" * place + PLACEHOLDER + "y" * (10_000 - place)

    @pytest.mark.parametrize(
        "pattern",
        [
            r"\d{3}-\d{2}-\d{4}", r"[A-Z]{2}[0-9]{6,10}\b", r"[\w.+-]+@[\w-]+\.[\w.]+", "acme-.*", r"a|b+",
            r"(?:[0-9]{4}-){3}[0-9]{4}", r"user=.{0,40};", r"[A-Z]+-[0-9]+-[a-z]+", r"^key .+$",
            r"(?i)iban\s?[a-z]{2}\d+", "(?:ab)+c",
        ],
    )  # fmt: skip
    def test_pattern_that_is_taken(self, pattern):
        """Patterns that people write are taken."""
        Scrubber([f"/{pattern}/"])

    @pytest.mark.parametrize(
        "pattern",
        [
            "(a+)+", "(a+)+b", "(a*)*b", "([a-z]+)*x", "(a|a)*b", "(a|aa)+$", "(?:a?){30}a{30}", ".*.*x", r"\s*\s*x",
            r"(.*)\1", ".*=.*;", "a?" * 30 + "a" * 30, "(?:(?:a+b?)+c)+", r"(\w+\s?)*$", "x*", "", "(?=a)", "(", "[",
            "a{2,1}",            "(?>a+)+b|(b+)+", r"(?=.*a)(?=.*b)c", "(" * 200 + "a" + ")" * 200 + "+*",
        ],
    )  # fmt: skip
    def test_pattern_that_is_refused(self, pattern):
        """A pattern that does not compile, could run away, or matches nothing is refused with a sentence."""
        with pytest.raises(OptionValueError, match=r"^EventFilter: option 'scrub' cannot be .+; it must be .+\.$"):
            Scrubber([f"/{pattern}/"])

    @pytest.mark.parametrize("entry", ["", "  ", "--", "/acme", "/acme/x", None, 17])
    def test_entry_that_is_refused(self, entry):
        """What is neither a name nor a pattern is refused."""
        with pytest.raises(OptionValueError, match="EventFilter: option 'scrub'"):
            Scrubber([entry])


class Hostile:
    """A value whose every answer is an error."""

    def __repr__(self):
        raise RuntimeError("no")

    def __len__(self):
        raise RuntimeError("no")

    @property
    def __class__(self):
        raise RuntimeError("no")


class TestPlain:
    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (math.nan, "nan"),
            (-math.inf, "-inf"),
            (1.5, 1.5),
            (True, True),
            (None, None),
            (2**64, 2**64),
            pytest.param(10**5000, "<int of 16610 bits>", id="huge"),
            (b"\x00a", "b'\\x00a'"),
            (bytearray(b"a"), "bytearray(b'a')"),
            ((1, (2,)), [1, [2]]),
            (collections.deque([1]), [1]),
            (frozenset({1}), [1]),
            (collections.OrderedDict(a=1), {"a": 1}),
            ({1: 2, None: 3, (1, 2): 4}, {"1": 2, "None": 3, "(1, 2)": 4}),
            (decimal.Decimal("1.20"), "Decimal('1.20')"),
            (uuid.UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
            (dt.date(2026, 11, 12), "datetime.date(2026, 11, 12)"),
            (ValueError("x"), "ValueError('x')"),
            pytest.param(Hostile(), "<unprintable Hostile>", id="hostile"),
            pytest.param([Hostile()], ["<unprintable Hostile>"], id="hostile inside"),
            ("a\x00b\x1b[0m\r\n\tc\x85", "a\\x00b\\x1b[0m\\r\n\tc\\x85"),
            ("\ud800x", "\\ud800x"),
            ({"\ud800\x00": 1}, {"\\ud800\\x00": 1}),
        ],
    )
    def test_value(self, scrubber, value, plain):
        """What JSON cannot hold becomes text, and the result is UTF-8."""
        clean = scrubber.event({"additional_info": {"x": value}})
        assert clean["additional_info"]["x"] == plain
        json.dumps(clean, allow_nan=False, ensure_ascii=False).encode()

    def test_text_keeps_its_control_characters(self, scrubber):
        """A line for a file keeps its colours; only what no file can hold is escaped."""
        assert scrubber.text("\x1b[31mred\x1b[0m\r\n \ud800") == "\x1b[31mred\x1b[0m\r\n \\ud800"

    def test_cycle(self, scrubber):
        """What contains itself is cut where it begins again; what is only used twice is not."""
        loop: dict = {"name": "x"}
        loop["self"] = [loop]
        twice = [1]
        clean = scrubber.event({"additional_info": {"loop": loop, "a": twice, "b": twice}})["additional_info"]
        assert clean["loop"]["self"] == ["<circular dict>"]
        assert clean["a"] == clean["b"] == [1]

    def test_cyclic_causes(self, scrubber):
        """Causes that cause each other are cut."""
        part: dict = {"error_type": "E", "error_message": "x"}
        part["causes"] = [part]
        part["exceptions"] = [{"exceptions": [part]}]
        clean = scrubber.event({"causes": [part]})
        assert clean["causes"][0]["causes"] == [{"error_type": "...", "error_message": "... (1 more)"}]

    def test_shared_structure(self, scrubber):
        """What is small in memory but vast when written out is bounded."""
        value: list = ["x" * 50]
        for _ in range(5):
            value = [value] * 100
        assert len(dumps(scrubber.event({"additional_info": {"v": value}}))) <= scrub.MAX_EVENT_BYTES

    def test_key_collision(self, scrubber):
        """Two keys that become the same text both stay."""
        assert scrubber.event({"additional_info": {1: "a", "1": "b"}})["additional_info"] == {"1": "a", "1'": "b"}

    def test_input_is_unchanged(self, scrubber):
        """The event that was handed in is as it was."""
        event = plain_event(additional_info={"password": "hunter2", "deep": [{"token": ["x"]}]}, message="token=zz9")
        before = copy.deepcopy(event)
        scrubber.event(event)
        assert event == before

    def test_clean_event_is_the_same(self, scrubber):
        """A clean event is copied as it is, in the same order, with id, fingerprint and timestamp."""
        event = plain_event()
        clean = scrubber.event(event)
        assert clean == event
        assert list(clean) == list(event)
        assert clean is not event
        assert clean["frames"] is not event["frames"]

    def test_identity_stays(self, scrubber, monkeypatch):
        """The id, the fingerprint and the timestamp stay, even where they contain a known value."""
        event = plain_event(
            id="4111111111111111", fingerprint="v1:" + "4111111111111111", message="password=4111111111111111"
        )
        clean = scrubber.event(event)
        assert [clean[key] for key in ("id", "fingerprint", "timestamp")] == [
            event[key] for key in ("id", "fingerprint", "timestamp")
        ]

    @pytest.mark.parametrize("key", [*scrub.KEYS, "more"])
    def test_hostile_field(self, scrubber, key):
        """A value that answers nothing but errors costs its own field, and no other."""
        clean = scrubber.event(plain_event(**{key: Hostile()}))
        assert clean == plain_event(**{key: "<unprintable Hostile>"})

    @pytest.mark.parametrize(
        "event", [None, 17, [], {"frames": 5, "causes": "x", "args": {1}}, {"error_message": None}]
    )
    def test_event_of_a_wrong_shape(self, scrubber, event):
        """What is no event at all still gives one."""
        assert isinstance(scrubber.event(event), dict)


class TestBounds:
    def test_message(self, scrubber):
        """A long message keeps head and tail, and says how much was cut."""
        clean = scrubber.event({"error_message": "a" * 50_000 + "z" * 50_000})["error_message"]
        assert len(clean) <= scrub.MAX_MESSAGE_CHARS
        assert clean.startswith("aaaa")
        assert clean.endswith("zzzz")
        kept = clean.count("a", 0, clean.index("...")) + clean.count("z")
        assert f"... ({100_000 - kept} characters cut) ..." in clean

    def test_traceback(self, scrubber):
        """A long traceback keeps its head, and more of its innermost end."""
        clean = scrubber.event({"traceback": "Traceback\n" + "x\n" * 100_000 + "ValueError: last\n"})["traceback"]
        assert 60_000 < len(clean) <= scrub.MAX_TRACEBACK_CHARS
        assert clean.startswith("Traceback\n")
        assert clean.endswith("ValueError: last\n")
        assert clean.index("characters cut") < len(clean) / 2

    @pytest.mark.parametrize("length", [4_097, 4_200, 12_000, 20_480, 20_481, 100_000])
    def test_secret_at_a_cut(self, scrubber, length):
        """No half of a secret stays at the place of a cut."""
        token = "ghp_" + A36
        for at in range(1_980, 2_120, 7):
            text = "x" * at + " " + token + " " + "y" * length
            for value in (text, text[::-1].replace(token[::-1], token)):
                clean = scrubber.event({"additional_info": {"v": value}})["additional_info"]["v"]
                assert len(clean) <= scrub.MAX_VALUE_CHARS
                assert "ghp_" not in clean
                assert A36[-8:] not in clean

    def test_entries(self, scrubber):
        """At most a hundred entries of a container stay, and how many are missing is said."""
        clean = scrubber.event({"additional_info": {"list": list(range(112)), "dict": {str(n): n for n in range(112)}}})
        info = clean["additional_info"]
        assert info["list"] == [*range(100), "... (12 more)"]
        assert info["dict"]["..."] == "(12 more)"
        assert len(info["dict"]) == 101

    def test_depth(self, scrubber):
        """Containers inside containers end at the depth that is said."""
        value: list = [1, 2]
        for _ in range(20):
            value = [value]
        clean = scrubber.event({"additional_info": {"v": value}})["additional_info"]
        assert dumps(clean) == '{"v":[[[[["... (1 more)"]]]]]}'

    def test_frames(self, scrubber):
        """Of a deep stack the outermost 50 and the innermost 200 frames stay, and the gap is told."""
        frames = [{"function": f"f{n}", "line": n} for n in range(1_000)]
        clean = scrubber.event({"frames": frames})["frames"]
        assert len(clean) == 251
        assert clean[49] == frames[49]
        assert clean[50]["function"] == "... (750 frames cut) ..."
        assert clean[51] == frames[800]

    def test_cheapest_first(self, scrubber):
        """An event that is too large loses its breadcrumbs first, and says so."""
        crumbs = [{"message": f"{n} " + "x" * 4_000} for n in range(90)]
        clean = scrubber.event(plain_event(breadcrumbs=crumbs))
        assert clean["breadcrumbs"] == [{"message": "... (90 more)"}]
        assert clean == scrubber.event(plain_event(breadcrumbs=clean["breadcrumbs"]))

    def test_locals_before_context(self, scrubber):
        """Then the locals go, and the context stays if that is enough."""
        frames = [{"function": f"f{n}", "locals": {"v": "x" * 4_000}} for n in range(90)]
        clean = scrubber.event(plain_event(frames=frames))
        assert clean["frames"][0] == {"function": "f0", "locals": {"...": "(1 more)"}}
        assert clean["additional_info"] == {"order": 17}

    @pytest.mark.slow
    @pytest.mark.parametrize("char", ["x", "\x00", "\ud800", "é", "\U0001f600", '"'])
    def test_everything_too_large(self, scrubber, char):
        """However it is filled, an event fits, and its head stays readable."""
        long = char * 70_000
        part = {"error_type": long, "error_message": long, "frames": [{"code": long, "locals": {"v": long}}] * 400}
        event = plain_event(
            error_message=long, message=long, traceback=long, frames=part["frames"], notes=[long] * 200, template=long,
            args=[long] * 200, additional_info={f"{n}{char * 300}": {"v": [long] * 200} for n in range(200)},
            causes=[part] * 200, exceptions=[{**part, "causes": [part] * 200}] * 200, breadcrumbs=[{"m": long}] * 200,
            more={str(n): long for n in range(200)}, **{f"x{n}": long for n in range(200)},
        )  # fmt: skip
        clean = scrubber.event(event)
        assert len(dumps(clean)) <= scrub.MAX_EVENT_BYTES
        assert clean["id"] == event["id"]
        assert clean["error_message"]
        assert clean["traceback"]


FRAGMENTS = [text for text, _ in SECRETS.values()] + [
    *(
        "password",
        "token",
        "=",
        ": ",
        "'",
        '"',
        "\\",
        "\n",
        " ",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ",",
        "&",
        ";",
        "://",
        "@",
    ),
    *("Bearer ", "Basic ", "--", "key", "[Filtered]", "Filtered", "[", "eyJ", "\\n", "a1B2c3D4e5F6g7H8i9J0", "cookie"),
    *(
        '  File "x", line 1, in f\n    ',
        "\x1b[0m",
        "%3D",
        "%26",
        "<",
        ">",
        "hunter2",
        "?",
        "\ud800",
        "\u0130",
        "Authorization",
    ),
]
TEXTS = st.one_of(
    st.text(alphabet=st.characters(), max_size=200),
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(alphabet=st.characters(), max_size=4)), max_size=12).map(
        "".join
    ),
)
LEAVES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.binary(max_size=50),
    st.builds(Hostile),
    st.builds(object),
)
KEYS = st.one_of(TEXTS, st.sampled_from([*SECRET_NAMES, *INNOCENT_NAMES]), st.integers(), st.none())
CONTEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.tuples(KEYS, inner), st.dictionaries(KEYS, inner, max_size=5)
    ),
    max_leaves=20,
)
EVENTS = st.dictionaries(
    st.one_of(st.sampled_from(scrub.KEYS), KEYS),
    st.one_of(CONTEXTS, st.lists(st.dictionaries(st.sampled_from(["code", "frames", "causes", "locals"]), CONTEXTS))),
    max_size=8,
)
PATTERNED = Scrubber(["/acme-[0-9]+/", "iban"], secrets=lambda: ["own-credential-1"])


class TestAnything:
    @pytest.mark.slow
    @settings(max_examples=400, deadline=None)
    @given(TEXTS)
    def test_text(self, text):
        """A text scrubbed twice is the same as once, and always UTF-8."""
        clean = PATTERNED.text(text)
        assert PATTERNED.text(clean) == clean
        clean.encode()

    @pytest.mark.slow
    @settings(max_examples=100, deadline=None)
    @given(EVENTS)
    def test_event(self, event):
        """Any event gives one that JSON and UTF-8 can hold, within the bounds, and is not changed itself."""
        before = repr_of(event)
        clean = PATTERNED.event(event)
        written = json.dumps(clean, allow_nan=False, ensure_ascii=False)
        written.encode()
        assert len(dumps(clean)) <= scrub.MAX_EVENT_BYTES
        assert repr_of(event) == before
        assert json.loads(written) == clean

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(sorted(SECRETS)), TEXTS, TEXTS)
    def test_secret_among_anything(self, kind, before, after):
        """A token with a shape of its own is found beside anything, once it stands on a line of its own."""
        token = "ghp_" + A36
        assert token not in PATTERNED.text(f"{before}\n{token}\n{after}")

    @pytest.mark.slow
    @settings(max_examples=50, deadline=None)
    @given(st.sampled_from(FRAGMENTS), st.integers(1, 5_000))
    def test_repeats(self, fragment, times):
        """What is repeated without end is answered; a pattern that runs away would hang here."""
        text = (fragment * times)[:65_536]
        assert PATTERNED.text(PATTERNED.text(text)) == PATTERNED.text(text)


def repr_of(value):
    """Return a repr of plain and hostile data that does not ask the hostile."""
    if type(value) is dict:
        return [(repr_of(key), repr_of(entry)) for key, entry in value.items()]
    if type(value) in {list, tuple}:
        return [repr_of(entry) for entry in value]
    return id(value) if type(value) in {Hostile, object} else repr(value)


class TestShared:
    """Dicts that stand in many events are looked at once, and never changed."""

    def frame(self, **said):
        return Shared({"file": "/app/shop.py", "function": "pay", "line": 3, "code": "pay(order)"} | said)

    def test_clean_one_is_shared(self, scrubber):
        """A clean frame stands in the copy as it is, the first time and again."""
        one = self.frame()
        for _ in range(2):
            assert scrubber.event({"frames": [one]})["frames"][0] is one

    def test_secret_one_is_copied(self, scrubber):
        """A secret in a shared frame is taken out of the copy each time, and stays in the frame itself."""
        one = self.frame(code="login(password='hunter2hunter2')")
        before = dict(one)
        for _ in range(2):
            clean = scrubber.event({"frames": [one]})
            assert "hunter2" not in json.dumps(clean)
        assert one == before

    def test_what_is_found_elsewhere(self, scrubber):
        """A secret that another field gives away is gone from a shared frame's copy, too."""
        one = self.frame(code="connect('tr0ub4dor&3-zebra')")
        assert scrubber.event({"frames": [one]})["frames"][0] is one
        clean = scrubber.event({"frames": [one], "additional_info": {"password": "tr0ub4dor&3-zebra"}})
        assert "tr0ub4dor" not in json.dumps(clean)
        assert one["code"] == "connect('tr0ub4dor&3-zebra')"

    def test_other_secrets_later(self):
        """When another secret becomes known, shared frames are looked at again."""
        known = ["s3cr3t-of-before"]
        scrubber = Scrubber(secrets=lambda: known)
        one = self.frame(code="token = 'zxcvbnm-tomorrow'")
        scrubber.event({"frames": [one]})
        known.append("zxcvbnm-tomorrow")
        assert "zxcvbnm" not in json.dumps(scrubber.event({"frames": [one]}))

    def test_bounds_count_shared_ones(self, scrubber):
        """Shared frames take the same room as others: an event keeps its size."""
        text = "x" * 900
        plain = [dict(self.frame(code=text, line=number)) for number in range(240)]
        shared = [Shared(frame) for frame in plain]
        rest = {"additional_info": {str(number): text for number in range(200)}}
        for _ in range(2):
            assert dumps(scrubber.event({"frames": shared} | rest)) == dumps(scrubber.event({"frames": plain} | rest))


class TestTracebacks:
    """A traceback is cleaned frame by frame."""

    HEAD = "Traceback (most recent call last):\n"

    def test_secrets_in_frames_and_message(self, scrubber):
        """A secret in a source line or in the message is gone, whether its frame was seen before or not."""
        frame = '  File "/app/shop.py", line 3, in pay\n    pay(order)\n    ^^^^^^^^^^\n'
        secret = '  File "/app/shop.py", line 9, in login\n    login(password="hunter2hunter2")\n'
        for _ in range(2):
            text = f"{self.HEAD}{frame}{secret}{frame}ValueError: postgres://u:pa55w0rd-long@db/x\n"
            clean = scrubber.event({"traceback": text})["traceback"]
            assert "hunter2" not in clean
            assert "pa55w0rd" not in clean
            assert clean.count("pay(order)") == 2

    def test_key_in_the_message(self, scrubber):
        """A private key of many lines in the message is gone as a whole."""
        key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 4 + "-----END PRIVATE KEY-----"
        frame = '  File "/app/shop.py", line 3, in pay\n    pay(order)\n'
        clean = scrubber.event({"traceback": f"{self.HEAD}{frame}ValueError: {key}"})["traceback"]
        assert "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" not in clean
        assert frame in clean
