"""`meseta data login`, `logout` and `status`: signing in to a source of market data."""

from __future__ import annotations

import os
import webbrowser
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meseta.cli._console import facts, make_console
from meseta.cli._guard import command
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from meseta.data import Step
    from meseta.data.sources.tradestation._attempt import Application
    from meseta.data.sources.tradestation._tokens import Tokens, TokenStore

__all__ = ["register"]

CLIENT_VARIABLE = "MESETA_TRADESTATION_CLIENT_ID"
# One of a key's usual addresses, and the one whose port is free on most machines: 80 is for
# administrators, and 3000, 3001 and 8080 are where web developers' own servers listen.
REDIRECT = "http://localhost:31022"

Name = Annotated[
    str, typer.Argument(metavar="SOURCE", help="tradestation; the other sources need no sign-in.")
]


def register(group: typer.Typer) -> None:
    """Add the commands to `meseta data`."""
    examples = (
        "meseta data login tradestation --client-id YOUR_API_KEY\n"
        "meseta data login tradestation --paste\n"
        "meseta data login tradestation --redirect-uri http://localhost:8080 --no-browser"
    )
    command(group, "login", examples=examples)(_login)
    command(group, "logout", examples="meseta data logout tradestation")(_logout)
    command(group, "status", examples="meseta data status")(_status)


def _login(
    *,
    source: Name,
    client_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help=f"Your TradeStation API key.  \\[default: {CLIENT_VARIABLE}, else that of the "
            "last login]",
        ),
    ] = None,
    redirect_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the sign-in page sends the browser: http://localhost and one of the "
            f"key's ports.  \\[default: that of the last login, else {REDIRECT}]",
        ),
    ] = None,
    flow: Annotated[
        Literal["code", "pkce"] | None,
        typer.Option(
            help="With the key's secret (code), or without where TradeStation has switched your "
            "key to PKCE.  \\[default: that of the last login, else code]"
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="What to ask for.  \\[default: openid offline_access MarketData]",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, open no browser.")
    ] = False,
    paste: Annotated[
        bool,
        typer.Option(
            "--paste", help="The browser is on another machine: paste the address it ends at."
        ),
    ] = False,
    timeout: Annotated[
        int, typer.Option(min=1, max=3600, metavar="S", help="Seconds to wait for the browser.")
    ] = 180,
) -> None:
    """Sign in to a source of market data.

    The browser shows TradeStation's own page; the password is typed there and nowhere else. The
    secret of your API key comes from MESETA_TRADESTATION_CLIENT_SECRET or is asked for. Tokens
    are kept in a file that only you can read; they let meseta read market data and never trade.
    """
    from meseta.data.sources.tradestation._login import login_by_browser, login_by_paste
    from meseta.data.sources.tradestation._tokens import TokenStore

    _require_known(source)
    store = TokenStore()
    application = _application(_last(store), client_id, redirect_uri, flow, scope)
    if paste:
        tokens = login_by_paste(application, store, ask=_ask, tell=_tell)
    else:
        show = _print_address if no_browser else _open_browser
        tokens = login_by_browser(application, store, show=show, seconds=timeout, tell=_tell)
    facts(make_console(), _facts(store, tokens))


def _logout(*, source: Name) -> None:
    """Forget a sign-in: remove its tokens, and the key's secret, from this machine.

    This does not revoke anything at TradeStation. Tokens that were copied elsewhere stay good;
    to end them, ask TradeStation to revoke your API key's refresh tokens.
    """
    from meseta.data.sources.tradestation._tokens import TokenStore

    _require_known(source)
    store = TokenStore()
    if not store.remove():
        typer.echo("Not signed in to TradeStation: there was nothing to remove.")
        return
    typer.echo(
        f"The TradeStation tokens in {store.folder} are removed. TradeStation was not told: to "
        "revoke them there too, ask its Client Experience team."
    )


def _status() -> None:
    """Show which sources you are signed in to, and until when; never a token."""
    from meseta.data.sources.tradestation._tokens import TokenStore

    store = TokenStore()
    tokens = store.load()
    console = make_console()
    if tokens is None:
        about = [("TradeStation", "not signed in: meseta data login tradestation")]
        facts(console, [*about, ("Kept in", str(store.path))])
    else:
        facts(console, _facts(store, tokens))


def _require_known(source: str) -> None:
    if source != "tradestation":
        raise ArgumentError(
            f"`source` must be tradestation, the one source that wants a sign-in, got {source!r}"
        )


def _last(store: TokenStore) -> Tokens | None:
    """Return the sign-in before this one, whose settings go on."""
    try:
        return store.load()
    except SourceError as error:
        typer.echo(str(error), err=True)
        return None


def _application(
    last: Tokens | None,
    client_id: str | None,
    redirect_uri: str | None,
    flow: Literal["code", "pkce"] | None,
    scope: str | None,
) -> Application:
    from meseta.data.sources.tradestation._attempt import SCOPE, Application

    client_id = client_id or os.environ.get(CLIENT_VARIABLE) or (last.client_id if last else None)
    if not client_id:
        raise ArgumentError(
            f"`--client-id` must be your TradeStation API key; give it, or set {CLIENT_VARIABLE}"
        )
    same = last if last and last.client_id == client_id else None
    flow = flow or (same.flow if same else "code")
    return Application(
        client_id=client_id,
        client_secret=_secret(same) if flow == "code" else None,
        flow=flow,
        redirect_uri=redirect_uri or (same.redirect_uri if same else REDIRECT),
        scope=scope or SCOPE,
    )


def _secret(last: Tokens | None) -> SecretStr:
    """Return the key's secret: from the environment, the last sign-in, or the user's hand."""
    from pydantic import SecretStr

    from meseta.data.sources.tradestation._endpoint import environment_secret

    found = environment_secret() or (last.client_secret if last else None)
    return found or SecretStr(typer.prompt("Secret of the API key", hide_input=True, err=True))


def _open_browser(url: str) -> None:
    typer.echo("Sign in on the page that your browser shows now. Ctrl-C gives up.")
    if not webbrowser.open(url):
        _print_address(url)


def _print_address(url: str) -> None:
    typer.echo(f"Open this address in a browser on this machine and sign in:\n{url}")


def _ask(url: str) -> str:
    typer.echo(
        f"Open this address in any browser and sign in:\n{url}\n"
        "The browser then ends at a page that it cannot show. Copy the address of that page."
    )
    pasted: str = typer.prompt("That address")
    return pasted


def _tell(step: Step) -> None:
    typer.echo(step.what, err=True)


def _facts(store: TokenStore, tokens: Tokens) -> list[tuple[str, str]]:
    renews = "renewed by itself" if tokens.refresh_token else "then sign in again"
    until = f"{tokens.expires:%Y-%m-%d %H:%M} UTC" if tokens.expires else "an unknown time"
    return [
        ("TradeStation", "signed in"),
        ("Flow", tokens.flow),
        ("Scope", tokens.scope),
        ("Access until", f"{until}, {renews}"),
        ("Kept in", str(store.path)),
    ]
