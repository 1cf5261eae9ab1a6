"""OAuth 2.0 with TradeStation: what gives tokens, and what renews them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from meseta.data import _clock
from meseta.data._listen import silent
from meseta.data.sources.tradestation._endpoint import (
    SECRET_VARIABLE,
    RefusedError,
    ask,
    environment_secret,
    text_of,
)
from meseta.data.sources.tradestation._tokens import SIGN_IN_AGAIN, Tokens
from meseta.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from meseta.data._listen import Listener
    from meseta.data.sources.tradestation._attempt import Attempt
    from meseta.data.sources.tradestation._tokens import Flow

__all__ = ["exchange", "refresh"]


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
        raise SourceError(
            f"TradeStation refused the sign-in ({error}); if the stored secret is wrong, "
            "`meseta data logout tradestation` forgets it",
            temporary=False,
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
