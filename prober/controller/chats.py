"""Which chats this controller is set up for: their secrets, read once, and a sentence about them for `doctor`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from prober.errors import ConfigInvalid
from prober.settings import Settings


@dataclass(frozen=True, slots=True)
class Chats:
    """The secrets; what is not set up has none."""

    signing_secret: str | None
    bot_token: str | None
    mattermost_tokens: tuple[str, ...]

    def is_mattermost(self, token: str) -> bool:
        """Whether Mattermost's slash command sent this; takes as long for any wrong token."""
        given = token.encode("utf-8", "surrogatepass")
        same = [hmac.compare_digest(one.encode(), given) for one in self.mattermost_tokens]
        return any(same)

    @property
    def sentence(self) -> str:
        """What there is."""
        slack = "Slack: /prober, mentions and pictures" if self.bot_token else "Slack: /prober"
        found = [slack] if self.signing_secret else []
        found += ["Mattermost: /prober"] if self.mattermost_tokens else []
        return "; ".join(found) or "none; give PROBER_SLACK_SIGNING_SECRET_FILE or PROBER_MATTERMOST_TOKEN_FILE for one"


def of(settings: Settings) -> Chats:
    """The chats that are set up. ConfigInvalid for half of one."""
    secret, bot = settings.secret("slack_signing_secret"), settings.secret("slack_bot_token")
    tokens = settings.secrets("mattermost_token")
    if bot and not secret:
        raise ConfigInvalid("slack_bot_token is set and slack_signing_secret is not: nobody could ask the bot anything")
    if bot and not (bot.isascii() and bot.isprintable()):
        raise ConfigInvalid("slack_bot_token is no token: write it as Slack shows it, xoxb-…")
    if tokens is not None and not tokens:
        raise ConfigInvalid("mattermost_token holds nothing: write the token of the slash command, one for each team")
    if tokens and not settings.mattermost_url:
        raise ConfigInvalid("mattermost_token is set and mattermost_url is not: say where answers may go")
    return Chats(secret, bot, tokens or ())
