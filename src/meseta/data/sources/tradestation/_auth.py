"""OAuth 2.0 with TradeStation: where to sign in, and what gives and renews tokens.

Two flows: the authorisation code with the key's secret (RFC 6749), which every key has, and with
a proof instead of a secret (PKCE, RFC 7636), which TradeStation switches on for a key on request.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from meseta.data import _clock
from meseta.data._listen import silent
from meseta.data.sources.tradestation._endpoint import (
    SECRET_VARIABLE,
    RefusedError,
    ask,
    environment_secret,
    printable,
    sign_in_url,
    text_of,
)
from meseta.data.sources.tradestation._tokens import SIGN_IN_AGAIN, Tokens
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from meseta.data._listen import Listener
    from meseta.data.sources.tradestation._tokens import Flow

__all__ = ["SCOPE", "Application", "Attempt", "exchange", "refresh"]

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


def exchange(attempt: Attempt, code: SecretStr, tell: Listener = silent) -> Tokens:
    """Return the tokens for a code.

    Raises
    ------
    SourceError
        TradeStation refuses the code or the key, or cannot be reached.
    """
    try:
        reply = ask(_code_form(attempt, code), tell)
    except RefusedError as error:
        raise _failed(
            f"TradeStation refused the sign-in ({error}); if the stored secret is wrong, "
            "`meseta data logout tradestation` forgets it"
        ) from error
    made = attempt.application
    return Tokens(
        client_id=made.client_id,
        client_secret=None if environment_secret() else made.client_secret,
        flow=made.flow,
        redirect_uri=made.redirect_uri,
        scope=text_of(reply, "scope") or made.scope,
        access_token=SecretStr(reply["access_token"]),
        expires=_expires(reply),
        refresh_token=_new_refresh_token(reply),
    )


def refresh(tokens: Tokens, tell: Listener = silent) -> Tokens:
    """Return new tokens; whoever calls stores them before anything else happens.

    A reply without a refresh token leaves the old one in force; one with a refresh token makes
    the old one void.

    Raises
    ------
    SourceError
        TradeStation wants a new sign-in, or cannot be reached.
    """
    try:
        reply = ask(_refresh_form(tokens), tell)
    except RefusedError as error:
        raise SourceError(
            f"TradeStation will not renew the sign-in ({error}); {SIGN_IN_AGAIN}", temporary=True
        ) from error
    changed = {
        "access_token": SecretStr(reply["access_token"]),
        "expires": _expires(reply),
        "refresh_token": _new_refresh_token(reply) or tokens.refresh_token,
        "scope": text_of(reply, "scope") or tokens.scope,
    }
    return tokens.model_copy(update=changed)


def _code_form(attempt: Attempt, code: SecretStr) -> dict[str, str | SecretStr]:
    made = attempt.application
    proof = {"code_verifier": attempt.verifier} if made.flow == "pkce" else {}
    return {
        "grant_type": "authorization_code",
        "client_id": made.client_id,
        "code": code,
        "redirect_uri": made.redirect_uri,
        **proof,
        **_secret(made.flow, made.client_secret),
    }


def _refresh_form(tokens: Tokens) -> dict[str, str | SecretStr]:
    if tokens.refresh_token is None:
        raise SourceError(
            f"the TradeStation sign-in has ended and cannot renew itself; {SIGN_IN_AGAIN}",
            temporary=True,
        )
    return {
        "grant_type": "refresh_token",
        "client_id": tokens.client_id,
        "refresh_token": tokens.refresh_token,
        **_secret(tokens.flow, tokens.client_secret),
    }


def _secret(flow: Flow, stored: SecretStr | None) -> dict[str, str | SecretStr]:
    """Return the key's secret for a form: the environment's, else the stored one."""
    if flow == "pkce":
        return {}
    found = environment_secret() or stored
    if found is None:
        raise SourceError(
            f"the secret of the TradeStation key is not stored; set {SECRET_VARIABLE}, or "
            f"{SIGN_IN_AGAIN}",
            temporary=True,
        )
    return {"client_secret": found}


def _new_refresh_token(reply: Mapping[str, Any]) -> SecretStr | None:
    found = text_of(reply, "refresh_token")
    return SecretStr(found) if found else None


def _expires(reply: Mapping[str, Any]) -> datetime | None:
    try:
        return _clock.now() + timedelta(seconds=float(reply["expires_in"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _failed(told: str) -> SourceError:
    return SourceError(told, temporary=False)
