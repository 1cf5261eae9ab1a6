"""One try to sign in to TradeStation: who asks, where, and which answer belongs to it.

Two flows: the authorisation code with the key's secret (RFC 6749), which every key has, and with
a proof instead of a secret (PKCE, RFC 7636), which TradeStation switches on for a key on request.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pydantic import SecretStr

from meseta.data.sources.tradestation._endpoint import printable, sign_in_url
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    from meseta.data.sources.tradestation._tokens import Flow

__all__ = ["SCOPE", "Application", "Attempt"]

# The vendor wants this very text, for its simulator too.
AUDIENCE = "https://api.tradestation.com"
# What reading bars needs, and nothing that could trade.
SCOPE = "openid offline_access MarketData"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The API key that a user signs in with.

    Parameters
    ----------
    client_id, client_secret
        As TradeStation gave them; no secret with PKCE.
    flow
        ``"code"`` or ``"pkce"``.
    redirect_uri
        One of the key's own; sent again, letter for letter, when the code is exchanged.
    scope
        What is asked for, separated by blanks.

    Raises
    ------
    ArgumentError
        `scope` lacks `openid`, or would let a program trade.
    """

    client_id: str
    client_secret: SecretStr | None
    flow: Flow
    redirect_uri: str
    scope: str = SCOPE

    def __post_init__(self) -> None:
        asked = self.scope.split()
        if "openid" not in asked:
            raise ArgumentError(f"`--scope` must contain openid, got {self.scope!r}")
        if "trade" in self.scope.lower().split():
            raise ArgumentError(
                "`--scope` must not contain Trade: meseta never trades, so it holds no token "
                f"that could; got {self.scope!r}"
            )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to sign in, known by its state.

    Parameters
    ----------
    application
        What signs in.
    state
        Random; only the answer to this try carries it.
    verifier
        Random; proves, with PKCE, that the code is exchanged by whoever asked for it.
    """

    application: Application
    state: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_urlsafe(32)))
    verifier: SecretStr = field(default_factory=lambda: SecretStr(secrets.token_urlsafe(48)))

    def url(self) -> str:
        """Return the address at which the user signs in."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri

        made: str = prepare_grant_uri(
            f"{sign_in_url()}/authorize",
            client_id=self.application.client_id,
            response_type="code",
            redirect_uri=self.application.redirect_uri,
            scope=self.application.scope,
            state=self.state.get_secret_value(),
            audience=AUDIENCE,
            **self._challenge(),
        )
        return made

    def code(self, query: str) -> SecretStr:
        """Return the code that the sign-in page sent with the browser.

        Parameters
        ----------
        query
            What follows the question mark in the address that the browser was sent to.

        Raises
        ------
        SourceError
            It is the answer to another try, or says that the user declined.
        """
        found = dict(parse_qsl(query))
        state = found.get("state", "").encode(errors="replace")
        if not hmac.compare_digest(state, self.state.get_secret_value().encode()):
            raise _failed(
                "the answer that came does not belong to this sign-in (its `state` is another): "
                "it is from an older page, or not from TradeStation; nothing was stored, begin "
                "the sign-in again"
            )
        if "error" in found:
            why = printable(f"{found['error']}: {found.get('error_description', '')}")
            raise _failed(f"TradeStation did not sign you in ({why})")
        if "code" not in found:
            raise _failed("TradeStation's answer has no code; begin the sign-in again")
        return SecretStr(found["code"])

    def _challenge(self) -> dict[str, str]:
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        if self.application.flow == "code":
            # Whether an ordinary key accepts a challenge is not documented.
            return {}
        challenge = create_s256_code_challenge(self.verifier.get_secret_value())
        return {"code_challenge": challenge, "code_challenge_method": "S256"}


def _failed(told: str) -> SourceError:
    return SourceError(told, temporary=False)
