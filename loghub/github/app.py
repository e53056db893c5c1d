"""The token of a GitHub App: signed for with the app's key, lent by GitHub for an hour, renewed before it ends.

How it works:
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
"""

from __future__ import annotations

import time
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from loghub.errors import DeliveryError, MissingExtraError
from loghub.github.failures import BadTokenError, ForbiddenError, GoneError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from loghub.github.client import GitHubClient

_BACK_SECONDS = 60  # GitHub refuses what was signed in its future
_AHEAD_SECONDS = 540  # and what is good for more than ten minutes
_CLOCK_SECONDS = 30.0
_HOUR_SECONDS = 3600.0
_EARLY_SECONDS = 300.0
_MAX_KEY_BYTES = 1 << 16
_NEEDED = "A GitHub App needs PyJWT and cryptography: pip install 'loghub-handlers[app]'."


class AppToken:
    """Called, it returns the token of an app's installation; for one thread at a time, as the client that asks.

    The token stands in memory only. It may write the issues of one repository, and nothing else unless
    `permissions` say so (every token may read the metadata).

    Args:
        repo: ``owner/name``.
        app_id: The app's id or client id.
        private_key_file: The .pem file that GitHub made for the app; read again each time something is signed.
        installation_id: Which installation of the app: the number in the address of its settings page.
        api_url: As the client's.
        permissions: What the token may do.
        timeout: As the client's.
        clock: Epoch seconds.

    Raises:
        MissingExtraError: PyJWT or cryptography is not installed.
    """

    def __init__(
        self,
        repo: str,
        app_id: str,
        private_key_file: str,
        installation_id: int,
        api_url: str = "https://api.github.com",
        *,
        permissions: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = (5.0, 15.0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not (find_spec("jwt") and find_spec("cryptography")):  # PyJWT comes without it, and then cannot sign
            raise MissingExtraError(_NEEDED)
        self.private_key_file = private_key_file
        self._repo = repo
        self._app_id = app_id
        self._installation_id = installation_id
        self._api_url = api_url
        self._permissions = dict(permissions or {"issues": "write"})
        self._timeout = timeout
        self._clock = clock
        self._made: GitHubClient | None = None
        self._ahead = 0.0
        self._lent = ("", 0.0)  # the token, and when to renew it

    def __repr__(self) -> str:
        return f"<AppToken of app {self._app_id} for {self._repo}>"

    @property
    def name(self) -> str:
        """Whose token it is."""
        return f"app {self._app_id}, installation {self._installation_id}"

    def __call__(self) -> str:
        """Return the token, a new one where there is none or its end is near.

        Raises:
            BadTokenError: GitHub lends this app no token for this repository.
            RateLimitedError: GitHub asked for quiet.
            DeliveryError: The key cannot be used, or GitHub could not be asked.
        """
        token, renew_at = self._lent
        if not 0 < renew_at - self._clock() <= _HOUR_SECONDS:  # further ahead: the clock was set back
            self._lent = ("", 0.0)
            token, renew_at = self._lent = self._borrow()
        return token

    def renew(self, refused: str) -> bool:
        """Forget the token if it is the one that GitHub `refused`; return whether asking again makes sense."""
        if not refused or refused != self._lent[0]:
            return False
        self._lent = ("", 0.0)
        return True

    def _borrow(self) -> tuple[str, float]:
        try:
            made = self._client.installation_token(self._installation_id, self._permissions)
        # What is wrong with the app must not be taken for an answer about an issue: no NotFoundError leaves here.
        except BadTokenError:
            raise BadTokenError(
                f"GitHub does not accept what is signed with {self.private_key_file} (401): "
                f"check that it is a key of app {self._app_id}, and that it was not deleted there."
            ) from None
        except NotFoundError:
            raise BadTokenError(
                f"GitHub finds no installation {self._installation_id} of app {self._app_id} (404): "
                f"install the app on {self._repo}, and check app_id and installation_id."
            ) from None
        except ForbiddenError as error:
            raise BadTokenError(self._forbidden(error.said)) from None
        except (InvalidError, GoneError) as error:
            raise BadTokenError(self._ungranted(str(error))) from None
        token = made.get("token")
        if not isinstance(token, str) or not token.strip():
            raise DeliveryError("GitHub's reply holds no token for the app: try again later.")
        return token.strip(), self._clock() + self._lifetime(made) - _EARLY_SECONDS

    def _forbidden(self, said: str) -> str:
        if "suspended" in said.lower():
            return (
                f"Installation {self._installation_id} of app {self._app_id} is suspended (403): "
                "unsuspend it in the settings of the account that it is installed on."
            )
        return f"GitHub gives app {self._app_id} no token (403: {said}): check the app's settings."

    def _ungranted(self, why: str) -> str:
        if "permission" in why.lower():
            wanted = ", ".join(f"{name}={access}" for name, access in self._permissions.items())
            return (
                f"Installation {self._installation_id} of app {self._app_id} has not got the permissions {wanted} "
                "(422): grant them to the app, and accept them in the installation."
            )
        return (
            f"Installation {self._installation_id} of app {self._app_id} may not see {self._repo} (422): "
            "check repo, and give the installation access to the repository."
        )

    def _lifetime(self, made: Mapping[str, Any]) -> float:
        """Return the token's seconds by the server's clock; an hour where that makes no sense.

        A token that ends before is refused, and then renewed.
        """
        try:
            ends_at = datetime.fromisoformat(made["expires_at"]).timestamp()
        except (KeyError, TypeError, ValueError, OverflowError):
            return _HOUR_SECONDS
        lifetime = ends_at - (self._clock() - self._client.ahead)
        return lifetime if 2 * _EARLY_SECONDS <= lifetime <= _HOUR_SECONDS else _HOUR_SECONDS

    # What is signed with the key

    @property
    def _client(self) -> GitHubClient:
        """The client that asks as the app itself, made on first use: requests is not light."""
        if self._made is None:
            from loghub.github.client import GitHubClient

            self._made = GitHubClient(
                self._repo,
                self._signed,
                self._api_url,
                timeout=self._timeout,
                clock=self._clock,
                renew=self._right_the_clock,
            )
        return self._made

    def _signed(self) -> str:
        """Return a JWT that says who asks: good for nothing but this, and for minutes."""
        now = int(self._clock() - self._ahead)
        claims = {"iat": now - _BACK_SECONDS, "exp": now + _AHEAD_SECONDS, "iss": self._app_id}
        try:
            import jwt
        except ImportError as error:
            raise DeliveryError(_NEEDED) from error
        return jwt.encode(claims, _read_key(self.private_key_file), algorithm="RS256")

    def _right_the_clock(self, refused: str) -> bool:
        """Go by the server's clock from now on; return whether that can have been why it `refused`."""
        before, self._ahead = self._ahead, self._client.ahead
        return abs(self._ahead - before) > _CLOCK_SECONDS


def _read_key(path: str) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with open(path, "rb") as file:
            pem = file.read(_MAX_KEY_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DeliveryError(f"private_key_file {path} cannot be read ({why}): mend it.") from None
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise DeliveryError(f"The key in {path} (private_key_file) is encrypted: store it decrypted.") from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise DeliveryError(
            f"{path} (private_key_file) holds no RSA private key: put the .pem file there that GitHub made for the app."
        )
    return key
