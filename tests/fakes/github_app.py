"""The stand-in for GitHub, with an app that is installed in it, and with tokens that end.

The order of the checks and the messages follow:

- https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
- https://github.com/octokit/auth-app.js/issues/698 (a clock that is ahead: 401)
- https://github.com/octokit/octokit.rb/pull/1307 (a suspended installation: 403)
- https://github.com/martinbaillie/vault-plugin-secrets-github/issues/101 (a permission that was not granted: 422)
- https://github.com/google/go-github/pull/2650 (the header that says when a token ends)

Use::

    with FakeGitHubApp("example/app") as fake:
        path.write_bytes(fake.private_key)
        ...                                     # talk to fake.url as app 7, installation 42
        assert fake.lent == 1
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from githubkit_schemas.v2022_11_28 import models as m

from tests.fakes.github import ApiError, Call, FakeGitHub, Reply, Token, _Rest, filled, route, stamp

APP_ID, INSTALLATION_ID = "7", 42
HOUR = 3_600.0


@functools.cache
def key_pair(number: int = 0) -> rsa.RSAPrivateKey:
    """Return a key that is made once for all tests; another `number` is another key."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def pem(key: Any, password: bytes | None = None) -> bytes:
    """Return a private key as GitHub hands it out, or encrypted."""
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    layout = serialization.PrivateFormat.PKCS8 if password else serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, layout, how)


class FakeGitHubApp(FakeGitHub):
    """GitHub in which app 7 is installed on all repositories, as installation 42.

    Attributes:
        private_key: What GitHub handed out for the app.
        key: The one that signatures are held against.
        suspended: Whether somebody suspended the installation.
        granted: What the app may do.
        ends: When a token ends (epoch seconds), by token; it may be of a person, too.
        lent: How many tokens the app was given.
        claims: Of the JWT that asked last.
    """

    def __init__(self, *repos: str, **how: Any) -> None:
        super().__init__(*repos, **how)
        self.key = key_pair()
        self.private_key = pem(self.key)
        self.suspended = False
        self.granted = {"issues": "write", "metadata": "read"}
        self.ends: dict[str, float] = {}
        self.lent = 0
        self.claims: dict[str, Any] = {}
        self.rest = _AppRest(self)

    @property
    def app_options(self) -> dict[str, Any]:
        """The options of a handler that name this app; the file with the key is the test's."""
        return {"app_id": APP_ID, "installation_id": INSTALLATION_ID, "api_url": self.url}


class _AppRest(_Rest):
    fake: FakeGitHubApp

    def _authenticate(self, key: str) -> Token | None:
        secret = key.partition(" ")[2]
        if secret.startswith("eyJ"):
            self._verify(secret)
            return Token(login="app", push=False, issues="", repos=())
        if self.fake.ends.get(secret, float("inf")) <= self.fake.clock():
            raise ApiError(401, "Bad credentials")
        return super()._authenticate(key)

    def _verify(self, secret: str) -> None:
        now, off = self.fake.clock(), {"verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(secret, self.fake.key.public_key(), algorithms=["RS256"], options=off)
        except jwt.InvalidTokenError:
            raise ApiError(401, "A JSON web token could not be decoded") from None
        self.fake.claims = claims
        if claims["iss"] != APP_ID:
            raise ApiError(404, "Integration not found")
        if claims["iat"] > now:
            raise ApiError(401, "'Issued at' claim ('iat') must be an Integer representing the time that was issued")
        if claims["exp"] > now + 600:
            raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
        if claims["exp"] <= now:
            raise ApiError(401, "'Expiration time' claim ('exp') must be a numeric value in the future")

    def _with_headers(self, reply: Reply, key: str, call: Call) -> Reply:
        ends_at = self.fake.ends.get(key.partition(" ")[2])
        if ends_at is not None and reply.status != 401 and not key.startswith("Bearer ghs_"):
            when = dt.datetime.fromtimestamp(ends_at, dt.UTC)
            reply.headers["GitHub-Authentication-Token-Expiration"] = when.strftime("%Y-%m-%d %H:%M:%S UTC")
        return super()._with_headers(reply, key, call)


@route(
    "POST /app/installations/<number>/access_tokens",
    body=m.AppInstallationsInstallationIdAccessTokensPostBody,
    needs="",
)
def _lend(self: _AppRest, call: Call, number: str) -> Reply:
    fake, body = self.fake, call.body
    if call.token is None or call.token.login != "app":
        raise ApiError(401, "A JSON web token could not be decoded")
    if number != str(INSTALLATION_ID):
        raise ApiError(404, "Not Found")
    if fake.suspended:
        raise ApiError(403, "This installation has been suspended")
    asked = body.get("permissions", fake.granted)
    if not asked.items() <= fake.granted.items():
        raise ApiError(422, "The permissions requested are not granted to this installation.")
    names = [repo.full_name for repo in fake._repos.values()]
    wanted = [name for name in names if name.partition("/")[2] in body.get("repositories", [])]
    if not wanted:
        raise ApiError(422, "There is at least one repository that does not exist or is not accessible to the parent "
                            "installation.")  # fmt: skip
    fake.lent += 1
    secret = f"ghs_{APP_ID}_{fake.lent:04}{'a' * 200}.{'b' * 200}.{'c' * 100}"
    fake.tokens[secret] = Token("app[bot]", issues=asked.get("issues", ""), repos=tuple(wanted))
    fake.ends[secret] = fake.clock() + HOUR
    given = {"token": secret, "expires_at": stamp(fake.ends[secret]), "permissions": asked | {"metadata": "read"}}
    return Reply(201, filled(m.InstallationToken, **given))


def only_hides_the_secret(text: str, fake: FakeGitHubApp) -> bool:
    """Return whether no token and no part of the key stands in `text`."""
    pieces = [*fake.tokens, *fake.private_key.decode().split("\n")[1:-2]]
    return not any(piece in text for piece in pieces) and not re.search(r"eyJ|ghs_", text)
