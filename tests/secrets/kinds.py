"""Kinds of secrets as their issuers make them, ten of each drawn anew from a seed: none of them is real.

`Kind.said` tells where a secret of the kind can be recognised. One that has a shape of its own is said bare
(``{}``) and is planted everywhere. One without (a password, an AWS secret access key) is nothing but letters in
a sentence, and is planted only where something beside it gives it away: a name, a header, a URL, a command.

All of it is put together when the tests run, so that no scanner finds a token in this file.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import urllib.parse
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from loghub.scrub.texts import any_of

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20_261_112
EACH = 10

UPPER, LOWER, DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
B62 = UPPER + LOWER + DIGITS
HEX = DIGITS + "abcdef"
B64 = B62 + "+/"
URL64 = B62 + "-_"


@dataclass(frozen=True)
class Kind:
    """One kind of secret.

    Attributes:
        name: What it is.
        source: Who says how it looks.
        draw: Makes one of a source of randomness.
        said: How it stands in a text, ``{}`` in its place.
        known_as: A name under which a program would keep it.
        fixed: What all of the kind begin with, which need not be gone alone.
        parts: What of it must be gone; by default the whole.
    """

    name: str
    source: str
    draw: Callable[[random.Random], str]
    said: tuple[str, ...] = ("{}",)
    known_as: str = "api_key"
    fixed: str = ""
    parts: Callable[[str], tuple[str, ...]] = field(default=lambda secret: (secret,))

    @property
    def bare(self) -> bool:
        """Whether it is recognised without anything beside it."""
        return self.said[0] == "{}"


@dataclass(frozen=True)
class Planted:
    """One secret of a kind, and a text that holds it."""

    kind: Kind
    secret: str
    text: str

    @property
    def gone(self) -> tuple[str, ...]:
        """What must not come out."""
        return self.kind.parts(self.secret)

    def left_in(self, output: str | bytes) -> str | None:
        """Return what of the secret stands in `output`, plain, percent- or base64-encoded: the whole or a piece."""
        raw = output if isinstance(output, bytes) else output.encode("utf-8", "surrogatepass")
        return next((form for form in self.forms if form.encode() in raw), None)

    @property
    def forms(self) -> list[str]:
        """All that is looked for."""
        found: list[str] = []
        for part in self.gone:
            found += [part, json.dumps(part)[1:-1], repr(part)[1:-1], urllib.parse.quote(part, safe="")]
            found += list(base64_cores(part))
            body = part.removeprefix(self.kind.fixed)
            found += pieces(body)
        return list(dict.fromkeys(found))


def pieces(body):
    """Return pieces of eight characters; where these are digits longer ones, for a thread's number has fifteen."""
    found = [body[at : at + (12 if body[at : at + 8].isdigit() else 8)] for at in range(0, max(1, len(body) - 7), 4)]
    return [piece for piece in found if len(piece) >= (12 if piece.isdigit() else 8)]


def base64_cores(text):
    """Yield what of `text` stays in base64 whatever stands around it."""
    raw = text.encode()
    for shift, skip in ((0, 0), (1, 2), (2, 3)):
        coded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        core = coded[skip : -1 if (len(raw) + shift) % 3 else None]
        if len(core) >= 10:
            yield core


def drawn(alphabet, length, before="", after=""):
    """Return what draws `length` letters of `alphabet` between two fixed texts, some of each sort among them."""

    def draw(rng):
        while True:
            body = "".join(rng.choice(alphabet) for _ in range(length))
            sorts = [sort for sort in (UPPER, LOWER, DIGITS) if set(sort) & set(alphabet)]
            if all(set(sort) & set(body) for sort in sorts) and body[0].isalnum() and body[-1].isalnum():
                return before + body + after

    return draw


def one_of(*draws):
    """Return what draws by one of `draws`."""
    return lambda rng: rng.choice(draws)(rng)


def joined(*parts):
    """Return what draws each of `parts` that is not a text, and puts them together."""
    return lambda rng: "".join(part if isinstance(part, str) else part(rng) for part in parts)


def word(rng, syllables=4):
    """Return a word that nobody wrote: what people choose as a password, and no entropy gives it away."""
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(syllables))


def password(rng):
    """Return a password as a person chooses it."""
    return f"{word(rng).title()}{rng.choice(['', '!', '.', '_', '*'])}{rng.randrange(10, 99)}{word(rng, 2)}"


def low_entropy(rng):
    """Return a password that is a word and a digit."""
    return f"{word(rng, 5)}{rng.randrange(10)}"


def signature(rng):
    """Return a signature as it stands in a query."""
    return urllib.parse.quote(drawn(B64, 43)(rng) + "=", safe="")


def jwt(rng):
    """Return a signed token with a subject of its own."""
    head = {"alg": rng.choice(["HS256", "RS256", "ES256"]), "typ": "JWT"}
    claims = {"sub": drawn(DIGITS, 10)(rng), "name": word(rng).title(), "iat": rng.randrange(10**9, 2 * 10**9)}
    coded = [
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode().rstrip("=")
        for part in (head, claims)
    ]
    return ".".join([*coded, drawn(URL64, rng.choice([43, 86, 342]))(rng)])


def pem(label, *, dashes="-----", crc=False):
    """Return what draws a private key between its two lines."""

    def draw(rng):
        lines = [drawn(B64, 64)(rng) for _ in range(rng.randrange(4, 8))] + [drawn(B64, 30, after="==")(rng)]
        if crc:
            lines = ["", *lines, "=" + drawn(B62, 4)(rng)]
        return "\n".join([f"{dashes}BEGIN {label}{dashes}", *lines, f"{dashes}END {label}{dashes}"])

    return draw


def pem_lines(text):
    """Return the lines of a key that must be gone."""
    return tuple(line for line in text.split("\n") if len(line) > 20 and "PRIVATE" not in line)


def basic(rng):
    """Return a user and a password as HTTP's Basic carries them."""
    return base64.b64encode(f"{word(rng, 3)}:{password(rng)}".encode()).decode()


def card(rng):
    """Return the number of a card that has the right check digit, as it is written."""
    start, length = rng.choice([("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("37", 15), ("6011", 16)])
    while True:
        digits = start + "".join(rng.choice(DIGITS) for _ in range(length - len(start)))
        total = sum(int(d) if n % 2 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(digits, length % 2 + 0))
        if length % 2:
            total = sum(int(d) if n % 2 == 0 else sum(divmod(2 * int(d), 10)) for n, d in enumerate(digits))
        if total % 10 == 0 and len(set(digits)) > 4:
            break
    apart = rng.choice(["", " ", "-"])
    groups = (4, 6, 5) if length == 15 else (4, 4, 4, 4)
    at, found = 0, []
    for size in groups:
        found.append(digits[at : at + size])
        at += size
    return apart.join(found)


def issued(name, source, draw, known_as="api_key", fixed="", **more):
    """Return a kind that has a shape of its own."""
    return Kind(name, source, draw, known_as=known_as, fixed=fixed, **more)


def given_away(name, source, draw, *said, known_as="password", **more):
    """Return a kind that only what stands beside it gives away."""
    return Kind(name, source, draw, said, known_as, **more)


GITHUB = "docs.github.com: About authentication to GitHub, token formats"
AWS = "docs.aws.amazon.com: IAM identifiers; managing access keys"
AZURE = "learn.microsoft.com: Configure Azure Storage connection strings; account and service SAS"
HTTP = "RFC 9110 section 11; RFC 7617, 6750, 7616; RFC 6265"
URLS = "RFC 3986 section 3.2.1, and the manual of each driver"
MYSQL = "dev.mysql.com: Connecting to the server using command options"
CURL = "curl.se/docs/manpage.html"
SHELL = "the manual page of each command"

KINDS = [
    issued("GitHub personal", GITHUB, drawn(B62, 36, "ghp" + "_"), "github_token", "ghp_"),
    issued("GitHub OAuth", GITHUB, drawn(B62, 36, "gho" + "_"), "github_token", "gho_"),
    issued("GitHub user to server", GITHUB, drawn(B62, 36, "ghu" + "_"), "github_token", "ghu_"),
    issued("GitHub installation", GITHUB, drawn(B62, 36, "ghs" + "_"), "github_token", "ghs_"),
    issued(
        "GitHub installation, stateless",
        "github.blog changelog: new format of installation tokens, an app id and a JWT",
        joined("ghs" + "_", drawn(DIGITS, 7), "_", jwt), "github_token", "ghs_",
    ),
    issued("GitHub refresh", GITHUB, drawn(B62, 76, "ghr" + "_"), "refresh_token", "ghr_"),
    issued("GitHub fine-grained", GITHUB, joined("github" + "_pat_", drawn(B62, 22), "_", drawn(B62, 59)),
           "github_token", "github_pat_"),
    issued("GitLab personal", "docs.gitlab.com: Token overview",
           one_of(drawn(URL64, 20, "glpat" + "-"),
                  joined("glpat" + "-", drawn(URL64, 27), ".01.", drawn(HEX, 9))), "private_token", "glpat-"),
    issued("GitLab deploy and runner", "docs.gitlab.com: Token overview",
           one_of(*(drawn(URL64, 20, start + "-") for start in ("gldt", "glrt", "glptt", "glft", "glsoat", "glimt"))),
           "deploy_token"),
    issued("Slack bot and user", "api.slack.com: Token types",
           one_of(*(joined(start + "-", drawn(DIGITS, 12), "-", drawn(DIGITS, 13), "-", drawn(B62, 24))
                    for start in ("xoxb", "xoxp"))), "slack_token"),
    issued("Slack app and configuration", "api.slack.com: Token types",
           one_of(joined("xapp" + "-1-A", drawn(UPPER + DIGITS, 10), "-", drawn(DIGITS, 13), "-", drawn(HEX, 64)),
                  drawn(B62, 120, "xoxe" + ".xoxp-1-"), drawn(B62, 120, "xoxe" + "-1-")), "slack_token"),
    issued("Slack webhook", "api.slack.com: Incoming webhooks",
           joined("https://hooks.slack.com/services/T", drawn(UPPER + DIGITS, 10), "/B", drawn(UPPER + DIGITS, 10),
                  "/", drawn(B62, 24)), "webhook_url", parts=lambda secret: (secret.rpartition("/")[2],)),
    issued("Stripe", "docs.stripe.com: API keys",
           one_of(*(drawn(B62, length, start) for start in ("sk" + "_live_", "rk" + "_live_", "sk" + "_test_")
                    for length in (24, 99))), "stripe_key"),
    issued("Stripe webhook", "docs.stripe.com: Verify webhook signatures", drawn(B62, 32, "whsec" + "_"),
           "webhook_secret", "whsec_"),
    issued("OpenAI", "platform.openai.com: API keys",
           one_of(drawn(URL64, 120, "sk" + "-proj-"), drawn(URL64, 60, "sk" + "-svcacct-"),
                  joined("sk" + "-", drawn(B62, 20), "T3Bl" + "bkFJ", drawn(B62, 20)))),
    issued("Anthropic", "docs.anthropic.com: API keys", drawn(URL64, 93, "sk" + "-ant-api03-", "AA"), "api_key",
           "sk-ant-api03-"),
    issued("AWS access key id", AWS, one_of(drawn(UPPER + "234567", 16, "AKIA"), drawn(UPPER + "234567", 16, "ASIA")),
           "aws_access_key_id"),
    given_away("AWS secret access key", AWS, drawn(B64, 40),
               "AWS_SECRET_ACCESS_KEY={}", "aws_secret_access_key = {}", '{{"SecretAccessKey": "{}"}}',
               "the AWS secret key {} was refused", known_as="aws_secret_access_key"),
    given_away("AWS session token", AWS, drawn(B64, 340, after="=="), "AWS_SESSION_TOKEN={}",
               '{{"SessionToken": "{}"}}', "X-Amz-Security-Token: {}", known_as="aws_session_token"),
    issued("Google API key", "cloud.google.com: API keys", drawn(URL64, 35, "AIza"), "api_key", "AIza"),
    issued("Google OAuth access", "developers.google.com: OAuth 2.0", drawn(URL64, 160, "ya29" + ".a0"),
           "access_token", "ya29.a0"),
    issued("Google OAuth client", "developers.google.com: OAuth 2.0", drawn(URL64, 28, "GOCSPX" + "-"),
           "client_secret", "GOCSPX-"),
    issued("Google OAuth refresh", "developers.google.com: OAuth 2.0", drawn(URL64, 97, "1//0"), "refresh_token",
           "1//0"),
    issued("Google service account", "cloud.google.com: Service account keys",
           lambda rng: json.dumps({"type": "service_account", "private_key_id": drawn(HEX, 40)(rng),
                                   "private_key": pem("PRIVATE" + " KEY")(rng) + "\n"}),
           "service_account", parts=lambda secret: pem_lines(json.loads(secret)["private_key"])),
    given_away("Azure storage account key", AZURE, drawn(B64, 86, after="=="),
               "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net",
               "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",
               "AZURE_STORAGE_ACCOUNT_KEY={}", known_as="account_key"),
    given_away("Azure shared access signature", AZURE, signature,
               "https://shop.blob.core.windows.net/c/a?sv=2022-11-02&ss=b&se=2026-12-01T00:00:00Z&sp=r&sig={}",
               "SharedAccessSignature=sv=2022-11-02&sp=rl&se=2026-12-01&sig={}", known_as="sas_token"),
    issued("Azure client secret", "learn.microsoft.com: Microsoft Entra application credentials",
           joined(drawn(B62, 3), drawn(DIGITS, 1), "Q~", drawn(URL64 + ".~", 34)), "client_secret"),
    issued("Twilio API key", "twilio.com/docs: API keys", drawn(HEX, 32, "SK"), "api_key", "SK"),
    given_away("Twilio auth token", "twilio.com/docs: Auth tokens", drawn(HEX, 32), "TWILIO_AUTH_TOKEN={}",
               "auth_token: {}", "the auth token {} is invalid", known_as="auth_token"),
    issued("SendGrid", "docs.sendgrid.com: API keys", joined("SG.", drawn(URL64, 22), ".", drawn(URL64, 43)),
           "sendgrid_api_key", "SG."),
    issued("Mailgun", "documentation.mailgun.com: API keys",
           one_of(drawn(HEX, 32, "key-"), joined(drawn(HEX, 32), "-", drawn(HEX, 8), "-", drawn(HEX, 8)))),
    issued("npm", "docs.npmjs.com: About access tokens", drawn(B62, 36, "npm" + "_"), "npm_token", "npm_"),
    issued("PyPI", "pypi.org/help: API tokens", drawn(URL64, 150, "pypi-AgEI" + "cHlwaS5vcmc"), "pypi_token",
           "pypi-AgEIcHlwaS5vcmc"),
    issued("Docker", "docs.docker.com: Personal access tokens",
           one_of(drawn(URL64, 27, "dckr" + "_pat_"), drawn(URL64, 32, "dckr" + "_oat_")), "docker_token"),
    issued("Hugging Face", "huggingface.co/docs: User access tokens", drawn(UPPER + LOWER, 34, "hf" + "_"),
           "hf_token", "hf_"),
    issued("DigitalOcean", "docs.digitalocean.com: Personal access tokens",
           one_of(*(drawn(HEX, 64, start + "_v1_") for start in ("dop", "doo", "dor"))), "do_token"),
    issued("Shopify", "shopify.dev: Access tokens",
           one_of(*(drawn(HEX, 32, start + "_") for start in ("shpat", "shpss", "shpca", "shppa"))), "shop_token"),
    issued("Square", "developer.squareup.com: Access tokens",
           one_of(drawn(URL64, 22, "sq0" + "atp-"), drawn(URL64, 43, "sq0" + "csp-"), drawn(URL64, 60, "EAAA")),
           "square_token"),
    issued("Linear", "linear.app/developers: API keys", drawn(B62, 40, "lin" + "_api_"), "api_key", "lin_api_"),
    issued("Notion", "developers.notion.com: Authorization",
           one_of(drawn(B62, 43, "secret" + "_"), drawn(B62, 46, "ntn" + "_")), "notion_token"),
    issued("Databricks", "docs.databricks.com: Personal access tokens", drawn(HEX, 32, "dapi"), "databricks_token",
           "dapi"),
    issued("HashiCorp Vault", "developer.hashicorp.com: Tokens",
           one_of(drawn(B62, 24, "hvs" + "."), drawn(URL64, 95, "hvs" + ".CAESI"),
                  drawn(URL64, 150, "hvb" + ".AAAAAQ")),
           "vault_token"),
    issued("Grafana", "grafana.com/docs: Service accounts",
           joined("glsa" + "_", drawn(B62, 32), "_", drawn(HEX, 8)), "grafana_token", "glsa_"),
    issued("New Relic", "docs.newrelic.com: API keys",
           one_of(drawn(UPPER + DIGITS, 27, "NRAK" + "-"), drawn(HEX, 36, "", "NRAL"))),
    issued("Sentry token", "docs.sentry.io: Auth tokens",
           one_of(joined("sntrys" + "_eyJ", drawn(B62, 120), "=_", drawn(B64, 43)), drawn(HEX, 64, "sntryu" + "_")),
           "sentry_auth_token"),
    given_away("Sentry DSN", "docs.sentry.io: Data source name", drawn(HEX, 32),
               "https://{}@o447951.ingest.sentry.io/5429215", "SENTRY_DSN=https://{}@sentry.example/17",
               "https://0f1e2d3c:{}@sentry.example/17"),
    issued("Telegram bot", "core.telegram.org/bots/api: Authorizing your bot",
           joined(drawn(DIGITS, 10), ":AA", drawn(URL64, 33)), "bot_token"),
    issued("Discord bot", "discord.com/developers/docs: Reference, authentication",
           joined(lambda rng: base64.b64encode(str(rng.randrange(10**17, 10**18)).encode()).decode().rstrip("="), ".",
                  drawn(URL64, 6), ".", drawn(URL64, 38)), "bot_token"),
    issued("Discord webhook", "discord.com/developers/docs: Webhook resource",
           joined("https://discord.com/api/webhooks/", drawn(DIGITS, 18), "/", drawn(URL64, 68)), "webhook_url",
           parts=lambda secret: (secret.rpartition("/")[2],)),
    issued("Atlassian", "support.atlassian.com: Manage API tokens", drawn(URL64, 180, "ATATT3xFfGF0", "=1A2B3C4D"),
           "api_token", "ATATT3xFfGF0"),
    issued("Groq, xAI, Replicate", "console.groq.com, docs.x.ai, replicate.com/docs: API keys",
           one_of(drawn(B62, 52, "gsk" + "_"), drawn(B62, 80, "xai" + "-"), drawn(B62, 37, "r8" + "_"))),
    issued("Terraform Cloud", "developer.hashicorp.com: API tokens",
           joined(drawn(B62, 14), ".atlasv1.", drawn(B62, 67)), "tf_token"),
    issued("Postman, Airtable, Figma, Doppler", "learning.postman.com, airtable.com, figma.com, docs.doppler.com",
           one_of(joined("PMAK" + "-", drawn(HEX, 24), "-", drawn(HEX, 34)),
                  joined("pat", drawn(B62, 14), ".", drawn(HEX, 64)), drawn(URL64, 40, "figd" + "_"),
                  drawn(B62, 43, "dp" + ".pt."))),
    issued("CircleCI, Netlify, Supabase, RubyGems", "what each says about its tokens",
           one_of(joined("CCIPAT" + "_", drawn(B62, 22), "_", drawn(HEX, 40)), drawn(B62, 36, "nfp" + "_"),
                  drawn(HEX, 40, "sbp" + "_"), drawn(HEX, 48, "rubygems" + "_"))),
    issued("age identity", "age-encryption.org/v1: X25519 identities",
           drawn("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, "AGE-SECRET" + "-KEY-1"), "identity", "AGE-SECRET-KEY-1"),
    issued("JWT", "RFC 7519", jwt, "id_token", parts=lambda secret: tuple(secret.split(".")[1:])),
    issued("RSA key", "RFC 7468; PKCS #1", pem("RSA PRIVATE" + " KEY"), "private_key", parts=pem_lines),
    issued("EC key", "RFC 7468; RFC 5915", pem("EC PRIVATE" + " KEY"), "private_key", parts=pem_lines),
    issued("OpenSSH key", "openssh PROTOCOL.key", pem("OPENSSH PRIVATE" + " KEY"), "private_key", parts=pem_lines),
    issued("encrypted key", "RFC 7468; RFC 5958", pem("ENCRYPTED PRIVATE" + " KEY"), "private_key", parts=pem_lines),
    issued("PGP key", "RFC 9580 section 6", pem("PGP PRIVATE" + " KEY BLOCK", crc=True), "private_key",
           parts=pem_lines),
    given_away("Basic", HTTP, basic, "Authorization: Basic {}", "{{'Authorization': 'Basic {}'}}",
               "proxy-authorization: basic {}", 'curl -H "Authorization: Basic {}" https://x.example',
               known_as="Authorization"),
    given_away("Bearer", HTTP, drawn(URL64, 32), "Authorization: Bearer {}", "sent Bearer {} and got 401",
               "[(b'authorization', b'Bearer {}')]", '{{"headers": {{"authorization": "bearer {}"}}}}',
               known_as="Authorization"),
    given_away("Digest", HTTP, drawn(HEX, 32),
               'Authorization: Digest username="bob", realm="x", nonce="n", uri="/", response="{}"',
               known_as="Authorization"),
    given_away("Cookie", HTTP, drawn(B62, 26), "Cookie: theme=dark; sid={}; lang=de", "sessionid={}",
               "Cookie: connect.sid=s%3A{}", "{{'Cookie': 'PHPSESSID={}'}}", known_as="Cookie"),
    given_away("Set-Cookie", HTTP, drawn(B62, 26), "Set-Cookie: sid={}; Path=/; HttpOnly; SameSite=Lax",
               "'set-cookie': '__Host-auth={}; Secure'", known_as="Set-Cookie"),
    given_away("password in a URL", URLS, password,
               "postgresql://shop:{}@db.example:5432/orders", "redis://:{}@cache.example:6379/0",
               "amqp://shop:{}@mq.example//", "mongodb+srv://shop:{}@cluster0.mongodb.net/x?retryWrites=true",
               "could not connect to mysql+pymysql://root:{}@localhost/shop?charset=utf8mb4",
               "https://deploy:{}@git.example/shop.git"),
    given_away("encoded password in a URL", URLS,
               lambda rng: urllib.parse.quote(word(rng) + rng.choice("@#/?:") + password(rng), safe=""),
               "postgresql://shop:{}@db.example/orders", "smtps://bot%40shop.example:{}@mail.example:465"),
    given_away("password in a Go DSN", "github.com/go-sql-driver/mysql: DSN", password,
               "shop:{}@tcp(db.example:3306)/orders?parseTime=true", "shop:{}@unix(/run/mysqld/mysqld.sock)/orders"),
    given_away("password in ODBC and ADO.NET", "learn.microsoft.com: Connection string syntax", password,
               "Driver={{ODBC Driver 18 for SQL Server}};Server=db,1433;Uid=shop;Pwd={};Encrypt=yes",
               "Server=db;Database=shop;User Id=shop;Password={};", "DRIVER=FreeTDS;UID=sa;PWD={{{}}}"),
    given_away("password in JDBC", "jdbc.postgresql.org: Initializing the driver", password,
               "jdbc:postgresql://db.example/orders?user=shop&password={}&ssl=true",
               "jdbc:sqlserver://db;databaseName=x;user=sa;password={};encrypt=true",
               "jdbc:oracle:thin:scott/{}@//db.example:1521/orcl"),
    given_away("password in libpq", "postgresql.org/docs: Connection strings", password,
               "host=db port=5432 dbname=orders user=shop password={} sslmode=require",
               "dbname=orders password='{}' host=db"),
    issued("card number", "ISO/IEC 7812-1, annex B", card, "card_number"),
    given_away("option of a command", SHELL, password, "mysqldump --user bob --password {} shop",
               "deploy --password={} --dry-run", "['deploy', '--api-token', '{}', '--verbose']",
               "Command '['vault', 'login', '--token={}']' returned non-zero exit status 2.",
               'deploy --db-password "{}"'),
    given_away("mysql -p", MYSQL, password, "mysql -u root -p{} shop",
               "Command '['mysqldump', '-h', 'db', '-uroot', '-p{}', 'shop']' returned non-zero exit status 2.",
               "/usr/bin/mariadb -p{} -e 'select 1'"),
    given_away("curl -u", CURL, password, "curl -s -u shop:{} https://api.example/x",
               "curl --user shop:{} https://api.example/x", "['curl', '-u', 'shop:{}', 'https://api.example']"),
    given_away("variable before a command", SHELL, password, "PGPASSWORD={} psql -h db shop",
               "env MYSQL_PWD={} mysql shop", "DB_PASS='{}' ./deploy.sh", "export API_SECRET={}"),
    given_away("sshpass and others", SHELL, password, "sshpass -p {} ssh bob@db",
               "['sshpass', '-p', '{}', 'ssh', 'db']",
               "redis-cli -h cache -a {} ping", "docker login -u shop -p {} registry.example",
               "ldapsearch -D cn=admin -w {} -b dc=example", "openssl rsa -passin pass:{} -in k.pem"),
    given_away("by its name", "what programs call their secrets", low_entropy, "db_password: {}",
               '{{"user": "bob", "apiSecret": "{}"}}', "connect(user='bob', passwd='{}')", "<password>{}</password>",
               "GET /reset?user=7&access_token={}&x=1", "X-Api-Key: {}", "client_secret={}", "login with password '{}'",
               "'DB-PASSWORD' => '{}'", 'passphrase = "{}"', known_as="dbPassword"),
    given_away("drawn, beside a word", "the issue's own: long high-entropy values", drawn(B62, 32),
               "invalid API key {} for tenant 7", "token rejected: {}", "your secret is {}", "got token <{}>",
               "using credentials {} (expired)", known_as="token"),
]  # fmt: skip


def plant(kinds=KINDS, seed=SEED):
    """Return ten secrets of each kind, in its texts by turns."""
    rng = random.Random(seed)
    found = []
    for kind in kinds:
        for number in range(EACH):
            secret = kind.draw(rng)
            template = kind.said[number % len(kind.said)]
            found.append(Planted(kind, secret, template.format(secret)))
    return found


PLANTED = plant()


@cache
def _heads():
    """Return how each form of each planted secret begins, with the forms; and a pattern that finds the beginnings."""
    heads = {}
    for one in PLANTED:
        for form in one.forms:
            raw = form.encode()
            heads.setdefault(raw[:8], []).append((one, raw))
    tree = any_of({head.decode("latin-1"): "" for head in heads})
    return heads, re.compile(f"(?=({tree}))".encode("latin-1"))


def left_in(output):
    """Return which of PLANTED stand in `output`, looking through it once."""
    raw = output if isinstance(output, bytes) else output.encode("utf-8", "surrogatepass")
    heads, pattern = _heads()
    hits = {one.secret: one for head in set(pattern.findall(raw)) for one, form in heads[head] if form in raw}
    return list(hits.values())
