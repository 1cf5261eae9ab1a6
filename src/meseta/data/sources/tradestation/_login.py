"""Signing in, from the address to open to the stored tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.data._listen import silent
from meseta.data.sources.tradestation._attempt import Attempt
from meseta.data.sources.tradestation._auth import exchange
from meseta.data.sources.tradestation._listener import CallbackServer, callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from meseta.data._listen import Listener
    from meseta.data.sources.tradestation._attempt import Application
    from meseta.data.sources.tradestation._tokens import Tokens, TokenStore

__all__ = ["login_by_browser", "login_by_paste"]


def login_by_browser(
    application: Application,
    store: TokenStore,
    *,
    show: Callable[[str], None],
    seconds: float,
    tell: Listener = silent,
) -> Tokens:
    """Sign in with a browser on this machine, which comes back by itself.

    Parameters
    ----------
    application
        What signs in.
    store
        Keeps the tokens.
    show
        Brings the address to the user's browser; called when this machine already listens.
    seconds
        How long to wait for the browser.
    tell
        Told of waits.

    Raises
    ------
    SourceError
        The user declined, nothing came, or TradeStation refuses.
    ArgumentError
        The redirect address is not this machine's, or its port is taken.
    """
    attempt = Attempt(application)
    with CallbackServer(application.redirect_uri, attempt.code, seconds) as server:
        show(attempt.url())
        code = server.wait()
    return _finish(attempt, code, store, tell)


def login_by_paste(
    application: Application,
    store: TokenStore,
    *,
    ask: Callable[[str], str],
    tell: Listener = silent,
) -> Tokens:
    """Sign in with a browser anywhere: the user pastes the address that it ends at.

    Parameters
    ----------
    ask
        Shows the address to the user and returns what was pasted.
    application, store, tell
        As in `login_by_browser`.

    Raises
    ------
    SourceError, ArgumentError
        As in `login_by_browser`.
    """
    callback(application.redirect_uri)
    attempt = Attempt(application)
    pasted = ask(attempt.url()).strip().partition("#")[0]
    return _finish(attempt, attempt.code(pasted.partition("?")[2]), store, tell)


def _finish(attempt: Attempt, code: SecretStr, store: TokenStore, tell: Listener) -> Tokens:
    with store.lock(tell):
        tokens = exchange(attempt, code, tell)
        store.save(tokens)
    return tokens
