"""The section `[notifier]` of the settings file: whom to tell, of what, how and when not.

[notifier.destinations.pager]
type = "apprise"
url = "pagerduty://KEY@ROUTING"

[[notifier.routes]]
levels = ["critical"]
to = ["pager"]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

Level: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Positive = Annotated[float, Field(gt=0)]
Minutes = Annotated[float, Field(gt=0, le=10_080)]


class Section(BaseModel):
    """A table of the settings file; a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone, like Europe/Berlin") from None
    return name


class Hours(Section):
    """A part of the week: from one time of day to another, on some days, in a time zone.

    One that ends at or before its start goes on into the next day; the day is that of its start.
    """

    start: time = Field(description="First moment, like 02:00.")
    end: time = Field(description="First moment after it, like 04:00.")
    days: tuple[Day, ...] = Field(DAYS, min_length=1, description="Days on which it starts.")
    zone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="IANA time zone.")

    def holds(self, moment: datetime) -> bool:
        """Whether it contains an aware datetime."""
        local = moment.astimezone(ZoneInfo(self.zone))
        clock = local.time()
        if self.start < self.end:
            return self.start <= clock < self.end and self._on(local)
        if clock >= self.start:
            return self._on(local)
        return clock < self.end and self._on(local - timedelta(days=1))

    def _on(self, local: datetime) -> bool:
        return DAYS[local.weekday()] in self.days


class Matched(Section):
    """Which alerts are meant; a list that is empty is no condition, `*` stands for anything."""

    levels: tuple[Level, ...] = Field((), description="Levels.")
    rules: tuple[str, ...] = Field((), description="Rule ids, like role_*.")
    workspaces: tuple[str, ...] = Field((), description="Workspace ids.")

    def matches(self, level: str, rule_id: str, workspace_id: str) -> bool:
        """Whether an alert with these is meant."""
        return (
            (not self.levels or level in self.levels)
            and (not self.rules or any(fnmatchcase(rule_id, p) for p in self.rules))
            and (not self.workspaces or any(fnmatchcase(workspace_id, p) for p in self.workspaces))
        )


class Route(Matched):
    """Alerts that are meant go to these destinations, at these hours, at once or in a digest."""

    to: tuple[str, ...] = Field(min_length=1, description="Names of destinations.")
    hours: Hours | None = Field(None, description="When the route applies; always without it.")
    digest_minutes: Minutes | None = Field(
        None, description="Gather alerts and send them together, so often."
    )
    last: bool = Field(False, description="Leave out the routes behind it for these alerts.")


class Maintenance(Matched):
    """Alerts about what happens in these hours are noted and not sent."""

    name: str = Field(min_length=1, description="Name that the report shows.")
    hours: Hours = Field(description="When, every week.")


class Escalation(Section):
    """An alert that nobody has acknowledged is told to somebody else as well."""

    after_minutes: Minutes = Field(description="How long an acknowledgement is waited for.")
    to: tuple[str, ...] = Field(min_length=1, description="Names of destinations.")


class _Destination(Section):
    rate_per_minute: int = Field(
        30, gt=0, description="Messages in a minute at most; the rest is folded into one."
    )
    every: bool = Field(
        False, description="Send every alert, also repeats that back-off holds back from people."
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = Field(
        10.0, description="How long an answer is waited for."
    )


class ConsoleDestination(_Destination):
    """The notifier's standard output."""

    type: Literal["console"]
    every: bool = True
    rate_per_minute: int = Field(1_000_000, gt=0)


class WebhookDestination(_Destination):
    """A URL that takes POST requests with JSON, signed as Standard Webhooks 1.0."""

    type: Literal["webhook"]
    url: SecretStr = Field(description="https address; http only on the loopback interface.")
    secret: SecretStr = Field(description="Signing secret: whsec_ and 24 to 64 bytes in Base64.")

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: SecretStr) -> SecretStr:
        address = urlsplit(url.get_secret_value())
        local = address.scheme == "http" and address.hostname in LOOPBACK
        if not address.hostname or not (address.scheme == "https" or local):
            raise ValueError("an https address is wanted; http only on the loopback interface")
        return url

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: SecretStr) -> SecretStr:
        from base64 import b64decode

        text = secret.get_secret_value()
        try:
            size = len(b64decode(text.removeprefix("whsec_") + "==", validate=False))
        except ValueError:
            size = 0
        if not (text.startswith("whsec_") and 24 <= size <= 64):
            raise ValueError("whsec_ and 24 to 64 bytes in Base64 are wanted")
        return secret


class AppriseDestination(_Destination):
    """One of the services of Apprise, by its URL (https://appriseit.com/services/)."""

    type: Literal["apprise"]
    url: SecretStr = Field(description="Apprise URL, like slack://…, pagerduty://…, mailtos://….")
    form: Literal["slack", "mail", "text"] | None = Field(
        None, description="How messages are written; None: as the service takes them."
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, url: SecretStr) -> SecretStr:
        try:
            import apprise
        except ModuleNotFoundError:  # a command that sends nothing does without
            return url
        if apprise.Apprise.instantiate(url.get_secret_value(), suppress_exceptions=True) is None:
            raise ValueError("it is not a URL that Apprise knows, see appriseit.com/services")
        return url


Destination: TypeAlias = Annotated[
    ConsoleDestination | WebhookDestination | AppriseDestination, Field(discriminator="type")
]


class NotifierSettings(Section):
    """Whom the notifier tells, of what, and how hard it tries."""

    destinations: Mapping[str, Destination] = Field(
        {"console": ConsoleDestination(type="console")},
        min_length=1,
        description="Destinations by name.",
    )
    routes: tuple[Route, ...] = Field((), description="Every route that matches applies.")
    default: tuple[str, ...] = Field(
        (), description="Where alerts go that no route matches; empty: everywhere."
    )
    maintenance: tuple[Maintenance, ...] = Field((), description="Recurring maintenance windows.")
    escalation: Mapping[Level, Escalation] = Field({}, description="Escalation by level.")
    backoff_hours: Positive = Field(
        24.0, description="Longest time between two repeats of an alert that goes on."
    )
    first_retry_seconds: Positive = Field(
        1.0, description="Wait after a failed attempt; twice as long after each further one."
    )
    longest_retry_seconds: Positive = Field(300.0, description="Longest such wait.")
    give_up_minutes: Minutes = Field(
        60.0, description="Age of a delivery from which a failed attempt makes it a dead letter."
    )
    queue: int = Field(
        10_000,
        gt=0,
        description="Deliveries in memory for each destination; more wait in the ledger.",
    )
    tick_seconds: Positive = Field(
        2.0, description="How often silences and what is unacknowledged are looked up."
    )

    @model_validator(mode="after")
    def _names_are_known(self) -> NotifierSettings:
        used = [(f"routes.{n}.to", route.to) for n, route in enumerate(self.routes)]
        used += [(f"escalation.{level}.to", item.to) for level, item in self.escalation.items()]
        used.append(("default", self.default))
        for key, names in used:
            for name in names:
                if name not in self.destinations:
                    known = ", ".join(self.destinations)
                    raise ValueError(f"{key}: there is no destination {name!r}, only {known}")
        return self


def as_json(section: BaseModel) -> str:
    """Return a section as JSON with its secrets in plain text: do not print the result."""

    def plain(value: Any) -> Any:
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    return json.dumps(section.model_dump(), default=plain)
