"""The sign-in that is kept: one file that only its owner can read."""

from __future__ import annotations

import contextlib
from pathlib import Path  # noqa: TC003 - dataclasses read annotations
from typing import TYPE_CHECKING, Any, Literal

import filelock
import pydantic
from pydantic import AwareDatetime, SecretStr

from meseta._files import write_json
from meseta._home import home
from meseta.data._listen import Step, silent
from meseta.errors import RunError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.data._listen import Listener

__all__ = ["SIGN_IN_AGAIN", "Flow", "TokenStore", "Tokens"]

Flow = Literal["code", "pkce"]
SIGN_IN_AGAIN = "sign in again: meseta data login tradestation"

# A renewal that another process has begun may have to wait for the vendor.
_LOCK_SECONDS = 300.0


class Tokens(pydantic.BaseModel):
    """A sign-in: what may be asked with, and what renews it.

    Parameters
    ----------
    client_id
        The API key that the user signed in with.
    client_secret
        Its secret; None where the flow has none, or the environment supplies it.
    flow
        ``"code"`` with the secret, or ``"pkce"``.
    redirect_uri
        Where the sign-in page sent the browser to.
    scope
        What was granted, separated by blanks.
    access_token
        Sent with every request.
    expires
        Until when it is good, in UTC; None where the vendor did not say.
    refresh_token
        Gets the next access token; None where `offline_access` was not granted.
    """

    # Whatever pydantic says of a malformed file, its values are not part of that.
    model_config = pydantic.ConfigDict(frozen=True, hide_input_in_errors=True)

    client_id: str
    client_secret: SecretStr | None = None
    flow: Flow
    redirect_uri: str
    scope: str
    access_token: SecretStr
    expires: AwareDatetime | None = None
    refresh_token: SecretStr | None = None


class TokenStore:
    """The file of a sign-in, and the lock that whoever changes it must hold.

    Parameters
    ----------
    folder
        Where it is; by default `credentials` in the user's own folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or home() / "credentials"
        self.path = self.folder / "tradestation.json"

    def load(self) -> Tokens | None:
        """Return the sign-in, None where there is none.

        Raises
        ------
        SourceError
            The file cannot be read, or was damaged and is now set aside.
        """
        try:
            return self._read()
        except ValueError:
            with self.lock():
                return self.load_held()

    def load_held(self) -> Tokens | None:
        """Like `load`, for whoever holds the lock."""
        try:
            return self._read()
        except ValueError as error:
            aside = self.path.with_name(f"{self.path.name}.damaged")
            self.path.replace(aside)
            raise SourceError(
                f"the stored TradeStation sign-in was damaged and is set aside as {aside}; "
                f"{SIGN_IN_AGAIN}",
                temporary=True,
            ) from error

    def save(self, tokens: Tokens) -> None:
        """Write the sign-in in place of the old one; only for whoever holds the lock."""
        write_json(self.path, _plain(tokens), mode=0o600)

    def remove(self) -> bool:
        """Delete the sign-in with every damaged or half-written copy; tell if there was any."""
        if not self.folder.is_dir():
            return False
        with self.lock():
            halves = self.folder.glob(".tradestation.json.*.part")
            found = [*self.folder.glob("tradestation.json*"), *halves]
            for path in found:
                path.unlink(missing_ok=True)
        return bool(found)

    @contextlib.contextmanager
    def lock(self, tell: Listener = silent) -> Iterator[None]:
        """Keep other processes from changing the sign-in; wait for one that does.

        Raises
        ------
        SourceError
            Another process holds the lock for too long.
        RunError
            The folder cannot be written.
        """
        held = self._acquired(tell)
        try:
            yield
        finally:
            held.release()

    def _acquired(self, tell: Listener) -> filelock.BaseFileLock:
        lock = filelock.FileLock(self.folder / ".tradestation.lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=0)
            if not lock.is_locked:
                tell(Step("waiting for another meseta, which renews the TradeStation sign-in"))
                lock.acquire(timeout=_LOCK_SECONDS)
        except filelock.Timeout as error:
            raise SourceError(
                f"another process holds {lock.lock_file}; try again", temporary=True
            ) from error
        except OSError as error:
            raise RunError(f"cannot write {self.folder}: {error.strerror}") from error
        return lock

    def _read(self) -> Tokens | None:
        try:
            return Tokens.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(
                f"cannot read {self.path}: {error.strerror}; {SIGN_IN_AGAIN}", temporary=True
            ) from error


def _plain(tokens: Tokens) -> dict[str, Any]:
    """Return everything as it is to be written, secrets too."""
    found = tokens.model_dump(mode="json")
    for name in Tokens.model_fields:
        value = getattr(tokens, name)
        if isinstance(value, SecretStr):
            found[name] = value.get_secret_value()
    return found
