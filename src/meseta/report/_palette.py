"""The colours of pages and charts, each in a light and a dark form.

A chart is built with the light colours; the page's script swaps each of them, by its exact
text, for its dark twin. So every light colour here must be a text of its own.
"""

from __future__ import annotations

__all__ = ["COLOURS", "SCALE", "css_variables", "night", "tone"]

COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181c"),
    "panel": ("#f6f5f2", "#1c2126"),
    "ink": ("#1b2127", "#e3e6e9"),
    "muted": ("#5a646e", "#9ba5af"),
    "rule": ("#dcdad4", "#333a41"),
    "grid": ("#eceae5", "#272d33"),
    "accent": ("#0c4a6e", "#7cc0e4"),
    "in-sample": ("#7f97ad", "#67809a"),
    "validation": ("#c8892b", "#d9a24a"),
    "vault": ("#75508b", "#ab86c4"),
    "hold": ("#8b8f93", "#8a9097"),
    "thin": ("#9fb4c3", "#5a7386"),
    "short": ("#0f7b6c", "#4fc3b0"),
    "variant-1": ("#59636d", "#a3adb7"),
    "variant-2": ("#b4541a", "#ee9d62"),
    "variant-3": ("#0b5d8a", "#6db7e8"),
    "variant-4": ("#a3346f", "#ea8fbf"),
    "variant-5": ("#5f6f12", "#bccb58"),
    "variant-6": ("#4a4aa0", "#a7a7f2"),
    "loss": ("#a33a2f", "#e8897c"),
    "loss-fill": ("rgba(163,58,47,0.16)", "rgba(232,137,124,0.22)"),
    "validation-fill": ("rgba(200,137,43,0.10)", "rgba(217,162,74,0.10)"),
    "in-sample-fill": ("rgba(127,151,173,0.10)", "rgba(103,128,154,0.14)"),
    "vault-fill": ("rgba(117,80,139,0.11)", "rgba(171,134,196,0.16)"),
    "clear": ("rgba(255,255,255,0)", "rgba(20,24,28,0)"),
}

# Nine stops of even OKLab lightness: pale to deep on white, deep to pale on black, so that
# more is always further from the page in both.
SCALE: tuple[tuple[str, str], ...] = (
    ("#f8f2c8", "#16234d"),
    ("#cfdfa4", "#003e68"),
    ("#9bcd91", "#035a73"),
    ("#5dba8d", "#09767f"),
    ("#04a391", "#029486"),
    ("#02868d", "#33b27f"),
    ("#016a83", "#83c776"),
    ("#014f79", "#c4d97a"),
    ("#13316d", "#fbe991"),
)


def tone(role: str) -> str:
    """Return the light colour of a role."""
    return COLOURS[role][0]


def night() -> dict[str, str]:
    """Map light colour to dark colour, for the page's script."""
    return dict([*COLOURS.values(), *SCALE])


def css_variables(*, dark: bool) -> str:
    """Return the custom properties `--role: colour;` of one theme."""
    return "".join(f"--{role}:{pair[dark]};" for role, pair in COLOURS.items())
