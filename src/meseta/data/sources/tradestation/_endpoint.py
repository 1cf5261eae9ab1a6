"""TradeStation's token service: what is sent to it, and what may be shown of its answers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from meseta.data.sources._http import Http, back_off, trusted_url
from meseta.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from meseta.data._listen import Listener

__all__ = [
    "SECRET_VARIABLE",
    "TITLE",
    "RefusedError",
    "ask",
    "environment_secret",
    "printable",
    "sign_in_url",
    "text_of",
]

TITLE = "TradeStation"
SECRET_VARIABLE = "MESETA_TRADESTATION_CLIENT_SECRET"
URL_VARIABLE = "MESETA_TRADESTATION_SIGNIN_URL"


# RFC 6749, 5.2 and 4.1.2.1: these two are no judgement on what was sent.
_PASSING = {"server_error", "temporarily_unavailable"}


class RefusedError(Exception):
    """The token endpoint said no, and why."""


def ask(form: Mapping[str, str | SecretStr], tell: Listener) -> dict[str, Any]:
    """Post a form to the token service and return its reply, which has an access token.

    Raises
    ------
    RefusedError
        The service says no.
    SourceError
        It gives nothing usable, or cannot be reached.
    """
    sent = {name: _bare(value) for name, value in form.items()}
    with Http(TITLE, _patient, tell=tell) as http:
        answer = http.send("POST", f"{sign_in_url()}/oauth/token", data=sent)
    try:
        reply = answer.json()
    except ValueError:
        reply = None
    if isinstance(reply, dict) and reply.get("error") and reply["error"] not in _PASSING:
        told = f"{reply['error']}: {reply.get('error_description', '')}"
        raise RefusedError(printable(told, form))
    if isinstance(reply, dict) and answer.is_success and text_of(reply, "access_token"):
        return reply
    raise SourceError(
        f"TradeStation's token service gave no token (status {answer.status_code}); "
        "try again later",
        temporary=True,
    )


def _patient(answer: httpx2.Response, attempt: int) -> float | None:
    """Wait for a service at fault or overrun; everything else is an answer."""
    return back_off(attempt) if answer.status_code >= 500 or answer.status_code == 429 else None


def environment_secret() -> SecretStr | None:
    """Return the key's secret that the environment supplies."""
    named = os.environ.get(SECRET_VARIABLE)
    return SecretStr(named) if named else None


def printable(text: str, secret: Mapping[str, str | SecretStr] | None = None) -> str:
    """Return a vendor's text fit for a terminal: short, in one line, without secrets.

    Parameters
    ----------
    text
        Whatever came.
    secret
        What was sent; values that are secret are blotted out, should they be sent back.
    """
    for value in (secret or {}).values():
        if isinstance(value, SecretStr) and value.get_secret_value():
            text = text.replace(value.get_secret_value(), "***")
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= 200 else f"{line[:200]}..."


def text_of(reply: Mapping[str, Any], name: str) -> str:
    """Return a text of a reply, empty where there is none."""
    found = reply.get(name)
    return found if isinstance(found, str) else ""


def sign_in_url() -> str:
    """Return the address of the sign-in: the real one's, or what the environment says."""
    return trusted_url(
        URL_VARIABLE, os.environ.get(URL_VARIABLE) or "https://signin.tradestation.com"
    )


def _bare(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
