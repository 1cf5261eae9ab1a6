"""An access token that is good now, renewed once for all processes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.data.sources.tradestation._auth import refresh
from meseta.errors import SourceError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from meseta.data._listen import Listener
    from meseta.data.sources.tradestation._tokens import Tokens, TokenStore

__all__ = ["Session"]

# Long enough for a request and its repetitions.
SKEW = timedelta(seconds=180)


class Session:
    """The stored sign-in, in use.

    Parameters
    ----------
    store
        Where it is kept.
    tell
        Told of waits.
    """

    def __init__(self, store: TokenStore, tell: Listener) -> None:
        self.store, self.tell = store, tell

    def token(self, refused: SecretStr | None = None) -> SecretStr:
        """Return an access token that is not about to end.

        Parameters
        ----------
        refused
            One that the vendor has just refused, whatever its end was said to be.

        Raises
        ------
        SourceError
            Nobody is signed in, the vendor wants a new sign-in, or cannot be reached.
        """
        tokens = _signed_in(self.store.load())
        if _good(tokens, refused):
            return tokens.access_token
        with self.store.lock(self.tell):
            # Whoever held the lock may have renewed it.
            tokens = _signed_in(self.store.load_held())
            if not _good(tokens, refused):
                tokens = refresh(tokens, self.tell)
                self.store.save(tokens)
        return tokens.access_token


def _signed_in(tokens: Tokens | None) -> Tokens:
    if tokens is None:
        raise SourceError(
            "not signed in to TradeStation; sign in: meseta data login tradestation",
            temporary=True,
        )
    return tokens


def _good(tokens: Tokens, refused: SecretStr | None) -> bool:
    if tokens.access_token == refused:
        return False
    return tokens.expires is None or _clock.now() + SKEW < tokens.expires
