"""Sessions in signed cookies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

YEAR = 365 * 24 * 3600


class Sessions:
    """Signs users in by a cookie that only holders of the secret can make.

    Example:
        >>> sessions = Sessions(b"secret", "rater")
        >>> sessions.start(response, request, "Ann")  # doctest: +SKIP
        >>> sessions.user(request)  # doctest: +SKIP
        'Ann'
    """

    def __init__(self, secret: bytes, cookie: str) -> None:
        """Prepare sessions.

        Args:
            secret: the signing key.
            cookie: its name; browsers share cookies between the ports of a machine.
        """
        self._cookie = cookie
        self._serializer = URLSafeSerializer(
            secret,
            salt=cookie,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def start(self, response: Response, request: Request, user: str, token: str = "") -> None:
        """Sign a user in.

        Args:
            response: gets the cookie.
            request: decides whether the cookie is for HTTPS alone.
            user: the name.
            token: what the user signed in with; the session ends when it changes.
        """
        response.set_cookie(
            self._cookie,
            str(self._serializer.dumps([user, _digest(token)])),
            max_age=YEAR,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def end(self, response: Response) -> None:
        """Sign the user out."""
        response.delete_cookie(self._cookie, httponly=True, samesite="strict")

    def user(self, request: Request, tokens: Mapping[str, str] | None = None) -> str | None:
        """Return who is signed in; None for nobody.

        Args:
            request: has the cookie.
            tokens: present token of each user who may be signed in; None: all may, without one.
        """
        try:
            user, digest = self._serializer.loads(request.cookies.get(self._cookie, ""))
        except (BadData, ValueError, TypeError):
            return None
        token = "" if tokens is None else tokens.get(user)
        return user if token is not None and digest == _digest(token) else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
