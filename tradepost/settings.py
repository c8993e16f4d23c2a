# SPDX-License-Identifier: GPL-3.0-or-later
"""One settings file, typed: /etc/tradepost/tradepost.toml, with TRADEPOST_* in the environment above it.

What business people change (people, pools, rules) is not here: it lives in the database.  Every field's text is its
documentation: `tradepost settings show --all` and tradepost.toml(5) print it.
"""

import ipaddress
import json
import os
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_origin
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from tradepost.errors import Refusal
from tradepost.secret_files import read_secret

DEFAULT_PATH = Path("/etc/tradepost/tradepost.toml")
_PREFIX = "TRADEPOST_"

Bytes = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SettingsError(Refusal, ValueError):
    """The settings can't be used.  The text, a line per mistake, names file, table and key."""

    exit_code = 78  # EX_CONFIG (sysexits.h): systemd's RestartPreventExitStatus= can name it


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HostSettings(_Table):
    """This machine."""

    instance: str = Field(
        default_factory=socket.getfqdn,
        description="Name of the Postfix whose queue ids are seen here: its $myhostname.",
    )


class PathSettings(_Table):
    """Folders."""

    state: Path = Field(
        default=Path("/var/lib/tradepost"),
        description="Holds journal, directory, database, blobs and the key; 0700, owned by the service user.",
    )
    blobs: str = Field(
        default="",
        description="Path of the folder for the bytes of mails and attachments; empty: blobs in paths.state.  Where workers on several hosts "
        "share a database they share this folder too (NFS).",
    )
    model: str = Field(
        default="",
        description="Path of the folder of what the classifier learned from corrections; empty: model in paths.state.  "
        "Where milter and worker run on several hosts they share this folder (NFS).",
    )
    runtime: Path = Field(
        default=Path("/run/tradepost"), description="Holds counters and heartbeats; emptied at every boot."
    )


class MilterSettings(_Table):
    """The milter that Postfix talks to."""

    socket: str = Field(
        default="unix:/var/spool/postfix/tradepost/milter.sock",
        pattern=r"^(unix:/.+|inet:.+:[0-9]+)$",
        description="unix:PATH or inet:HOST:PORT.  Debian chroots smtpd: PATH lies inside the queue directory.",
    )
    socket_mode: str = Field(default="0660", pattern=r"^0?[0-7]{3}$", description="Permissions of the unix socket.")
    socket_group: str = Field(default="postfix", description="Group of the unix socket; empty leaves it alone.")
    children: Annotated[int, Field(ge=1, le=64)] = Field(default=2, description="Worker processes on the socket.")
    soft_deadline_ms: Annotated[int, Field(ge=1)] = Field(
        default=3000, description="After this long in EOM a mail is journaled and passed without classifying."
    )
    watchdog_seconds: Seconds = Field(default=6, description="A child silent for so long in a callback is replaced.")
    drain_grace_seconds: Seconds = Field(default=30, description="How long a leaving child may finish its sessions.")
    classify_bytes: Bytes = Field(default=262_144, description="How much of a mail is read for classifying.")
    spill_bytes: Bytes = Field(default=1_048_576, description="Bodies above this are streamed to disk as they arrive.")
    trusted_networks: tuple[str, ...] = Field(
        default=("127.0.0.0/8", "::1/128"),
        description="Clients that may send as one of our own addresses without SASL (scanners, ERP).",
    )
    strict: bool = Field(
        default=False,
        description="true: a mail that can't be journaled is refused with 451 instead of passing.  An explicit choice.",
    )

    @field_validator("trusted_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network)  # its ValueError names the network
        return networks

    @model_validator(mode="after")
    def _deadlines_in_order(self) -> Self:
        if self.soft_deadline_ms >= self.watchdog_seconds * 1000:
            raise ValueError("soft_deadline_ms must end before watchdog_seconds, or the child is killed instead")
        return self


class JournalSettings(_Table):
    """The folder of fsynced entries: the truth until the database has it."""

    reserve_bytes: Bytes = Field(default=1_073_741_824, description="Free bytes that must stay on the file system.")
    reserve_percent: Annotated[float, Field(ge=0, le=90, allow_inf_nan=False)] = Field(
        default=5, description="Free share that must stay; the larger of the two reserves counts."
    )
    seen_days: Annotated[int, Field(ge=1)] = Field(default=60, description="How long the seen list is kept.")


class DirectorySettings(_Table):
    """What the milter must know within microseconds."""

    deadline_ms: Annotated[int, Field(ge=1)] = Field(default=20, description="A lookup slower than this is unknown.")
    stale_after_seconds: Seconds = Field(default=300, description="Without word from the projector: all is unknown.")


class DatabaseSettings(_Table):
    """Where records live."""

    url: str = Field(
        default="",
        description="SQLAlchemy URL, postgresql+psycopg://USER@HOST/DATABASE; empty: sqlite file tradepost.sqlite in "
        "paths.state.",
    )
    password_file: str = Field(
        default="", description="Path of the file that holds PostgreSQL's password, 0600; empty: none, or in ~/.pgpass."
    )


class RedisSettings(_Table):
    """The large size: several hosts share one directory and one stream of mail.  Empty url: the small size, no Redis."""

    url: str = Field(
        default="",
        pattern=r"^$|^(redis|rediss|redis\+sentinel|rediss\+sentinel|redis\+cluster|rediss\+cluster)://.+$|^unix:///.+$",
        description="redis://HOST:PORT/DB, rediss:// with TLS, unix:///PATH, redis+sentinel://HOST:PORT,HOST:PORT/DB/SERVICE "
        "or redis+cluster://HOST:PORT,HOST:PORT.",
    )
    username: str = Field(default="", description="ACL user; empty: the default user.")
    password_file: str = Field(default="", description="Path of the file that holds the password, 0600; empty: none.")
    sentinel_password_file: str = Field(
        default="", description="Path of the file that holds the Sentinels' own password, 0600; empty: none."
    )
    ca_file: str = Field(default="", description="Path of the CA that signed its certificate; empty: the system's.")
    allow_insecure: bool = Field(
        default=False,
        description="true: Redis off loopback without TLS or password is used all the same.  It carries whole mails.",
    )
    prefix: str = Field(
        default="tradepost",
        pattern=r"^[a-z0-9-]{1,32}$",
        description="First word of every key; in braces, so that a cluster keeps them together.",
    )
    in_flight_bytes: Annotated[int, Field(ge=1_048_576)] = Field(
        default=268_435_456, description="Bytes of one host's mail in the stream at most; the disk holds the rest."
    )
    reship_seconds: Seconds = Field(
        default=600, description="An entry that nobody acknowledged for so long is shipped again."
    )


class WorkerSettings(_Table):
    """The sync worker."""

    batch_mails: Annotated[int, Field(ge=1, le=1000)] = Field(default=50, description="Mails in one commit at most.")
    batch_ms: Annotated[int, Field(ge=1)] = Field(
        default=50,
        description="A commit waits no longer than this for mails to fill it; where enough wait, it is filled.",
    )
    poll_ms: Annotated[int, Field(ge=1)] = Field(default=200, description="Pause between looks at an empty journal.")


class ClassifySettings(_Table):
    """The second opinion on mail whose category arrival was unsure of: the worker's, where its encoder is installed."""

    second_opinion: Literal["off", "unsure"] = Field(
        default="off",
        description="unsure: the worker asks a slower reader about such mail; needs pip install 'tradepost[second-opinion]'.",
    )
    second_opinion_below: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.6, description="The confidence of the category at arrival below which it is asked."
    )
    second_opinions_per_second: Annotated[float, Field(ge=0.1, le=100, allow_inf_nan=False)] = Field(
        default=1,
        description="At most so many: each takes a tenth to a third of a second.  While much mail waits, none is asked.",
    )


class LearningSettings(_Table):
    """How the classifier learns from corrections."""

    nightly: bool = Field(
        default=True, description="The worker learns once a night; false: only 'tradepost classify learn' does."
    )
    hour: Annotated[int, Field(ge=0, le=23)] = Field(
        default=2, description="The hour of the night, in the time zone of the worker's host."
    )


class DuplicateSettings(_Table):
    """Likely duplicates, and the question whether a customer exists."""

    checks_per_hour: Annotated[int, Field(ge=0, le=100_000)] = Field(
        default=60,
        description="How often a person may ask within an hour whether a customer exists; 0: never.  "
        "The answer names its owner, also to who may not see the customer.",
    )


class MailLogSettings(_Table):
    """Where Postfix logs: what was accepted is read there."""

    source: Literal["file", "journald", "none"] = Field(
        default="file",
        description="none: entries count after assume_after_seconds without an abort, and health says so.",
    )
    path: Path = Field(default=Path("/var/log/mail.log"), description="Followed through rotation.")
    syslog_name: str = Field(default="postfix", description="Postfix's syslog_name: the word before the slash.")
    assume_after_seconds: Seconds = Field(default=600, description="With source = none: when an entry counts.")
    queue_command: tuple[str, ...] = Field(
        default=("postqueue", "-j"), description="Lists the queue as JSON; asked by reconcile."
    )


class RecordingSettings(_Table):
    """What may be kept; decided before the journal is written."""

    internal: Literal["full", "envelope", "none"] = Field(
        default="envelope", description="Mail among ourselves, outside any customer's conversation."
    )
    excluded: tuple[str, ...] = Field(
        default=(), description="Addresses or domains whose mail is never kept (HR, works council): counted only."
    )
    envelope_only: tuple[str, ...] = Field(
        default=(), description="Addresses or domains of whose mail only the envelope is kept."
    )


class WebSettings(_Table):
    """The web admin."""

    host: str = Field(default="127.0.0.1", description="Loopback unless a TLS proxy stands in front.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8025, description="0 takes a free port.")
    trusted_hosts: tuple[str, ...] = Field(
        default=(), description="Names a browser may use for it besides loopback: the one of the TLS proxy."
    )
    behind_tls_proxy: bool = Field(
        default=False,
        description="true: a TLS proxy stands in front; host may then leave loopback, and cookies want https.",
    )


class TranslationSettings(_Table):
    """A translation aid on the pages: an endpoint of your own that speaks LibreTranslate's interface."""

    url: str = Field(
        default="",
        pattern=r"^$|^https?://.+$",
        description="http://127.0.0.1:5000 or https://HOST[:PORT][/PATH], without /translate; empty: no translation is offered.",
    )
    key_file: str = Field(default="", description="Path of the file that holds its API key, 0600; empty: none.")
    ca_file: str = Field(default="", description="Path of the CA that signed its certificate; empty: the system's.")
    allow_insecure: bool = Field(
        default=False, description="true: an endpoint off loopback is used without TLS.  Letters travel to it."
    )
    timeout_seconds: Annotated[float, Field(ge=1, le=50, allow_inf_nan=False)] = Field(
        default=15, description="A translation that takes longer is given up."
    )
    max_chars: Annotated[int, Field(ge=100, le=100_000)] = Field(
        default=10_000, description="How much of a letter is translated; the rest is left out, and the page says so."
    )


class MetricsSettings(_Table):
    """Prometheus."""

    host: str = Field(default="127.0.0.1", description="Where /metrics and /healthz are served.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=9108, description="0 takes a free port.")


class LogSettings(_Table):
    """Log lines go to stderr; systemd dates them."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Lowest level written.")


class Settings(BaseSettings):
    """All tables of tradepost.toml."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    toml_path: ClassVar[Path | None] = None  # set on the subclass that load_settings makes

    host: HostSettings = Field(default_factory=HostSettings)
    paths: PathSettings = Field(default_factory=PathSettings)
    milter: MilterSettings = Field(default_factory=MilterSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    directory: DirectorySettings = Field(default_factory=DirectorySettings)
    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    classify: ClassifySettings = Field(default_factory=ClassifySettings)
    learning: LearningSettings = Field(default_factory=LearningSettings)
    duplicates: DuplicateSettings = Field(default_factory=DuplicateSettings)
    maillog: MailLogSettings = Field(default_factory=MailLogSettings)
    recording: RecordingSettings = Field(default_factory=RecordingSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    translation: TranslationSettings = Field(default_factory=TranslationSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = cls.toml_path
        toml = (TomlConfigSettingsSource(settings_cls, toml_file=path),) if path else ()
        return (init_settings, env_settings, *toml)

    @property
    def source(self) -> Path | None:
        """The file that was read; None: there is none."""
        return self.toml_path

    @property
    def journal_dir(self) -> Path:
        return self.paths.state / "journal"

    @property
    def directory_file(self) -> Path:
        return self.paths.state / "directory.sqlite"

    @property
    def blob_dir(self) -> Path:
        return Path(self.paths.blobs) if self.paths.blobs else self.paths.state / "blobs"

    @property
    def model_dir(self) -> Path:
        return Path(self.paths.model) if self.paths.model else self.paths.state / "model"

    @property
    def key_file(self) -> Path:
        return self.paths.state / "secret.key"

    @property
    def database_url(self) -> str:
        """With the password of `password_file` in it.  Raises SettingsError when that can't be read."""
        url, path = self.database.url, self.database.password_file
        if not url:
            return f"sqlite:///{self.paths.state / 'tradepost.sqlite'}"
        if not path:
            return url
        password = quote(read_secret("[database] password_file", path, SettingsError), safe="")
        parts = urlsplit(url)
        user, at, place = parts.netloc.rpartition("@")
        if not at or ":" in user:
            raise SettingsError(
                "[database] password_file: url must name a user, and no password: postgresql+psycopg://USER@HOST/DATABASE"
            )
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{place}"))

    @property
    def metrics_dir(self) -> Path:
        return self.paths.runtime / "metrics"


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings.  `path` None: $TRADEPOST_CONFIG, else DEFAULT_PATH if it exists, else the defaults.

    Raises SettingsError with one line per mistake: file, table, key, what is wrong, what is allowed.
    """
    if path is None:
        named = os.environ.get("TRADEPOST_CONFIG")
        path = Path(named) if named else (DEFAULT_PATH if DEFAULT_PATH.exists() else None)
    source = "environment or defaults"
    if path is not None:
        source = str(path)
        try:
            with path.open("rb") as file:
                tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: is no TOML: {error}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{path}: is no UTF-8 text: {error.reason} at byte {error.start}") from error
        except OSError as error:
            raise SettingsError(f"{path}: can't be read: {error.strerror}") from error

    class Bound(Settings):
        toml_path = path

    wrong = _wrong_variables()
    if wrong:
        raise SettingsError("\n".join(wrong))
    try:
        return Bound()
    except ValidationError as error:
        mistakes = (_explain(source, dict(item)) for item in error.errors(include_url=False, include_context=False))
        raise SettingsError("\n".join(dict.fromkeys(mistakes))) from error


def _wrong_variables() -> list[str]:
    """What pydantic-settings passes over (a table it does not know) or names badly (a list that is no JSON)."""
    found = []
    for name, text in sorted(os.environ.items()):
        table, divider, key = name.removeprefix(_PREFIX).lower().partition("__")
        if not name.startswith(_PREFIX) or not divider:
            continue
        if table not in Settings.model_fields:
            found.append(f"environment: {name}: there is no table [{table}]; tables are: {_tables()}")
            continue
        field = _table_model(table).model_fields.get(key)
        if field is not None and get_origin(field.annotation) is tuple and not _is_json_list(text):
            found.append(f'environment: {name}: a list is written as JSON, ["a", "b"] (it is {text!r})')
    return found


def _is_json_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def _explain(source: str, item: dict[str, Any]) -> str:
    table, *keys = (str(step) for step in item["loc"])
    key = ".".join(keys)
    variable = (f"{_PREFIX}{table}__{keys[0]}" if keys else f"{_PREFIX}{table}").upper()
    if variable in {name.upper() for name in os.environ}:
        source = f"environment: {variable}"
    model = Settings.model_fields.get(table)
    if model is None:
        return f"{source}: there is no table [{table}]; tables are: {_tables()}"
    if item["type"] == "extra_forbidden":
        known = ", ".join(_table_model(table).model_fields)
        return f"{source}: [{table}] has no setting {key!r}; its settings are: {known}"
    if not keys and item["type"] in {"model_type", "model_attributes_type"}:
        return f"{source}: {table} is a table: write [{table}]"
    reason = item["msg"].removeprefix("Value error, ")
    return f"{source}: [{table}] {key}: {reason} (it is {item['input']!r})" if keys else f"{source}: [{table}] {reason}"


def _tables() -> str:
    return ", ".join(Settings.model_fields)


def _table_model(table: str) -> type[BaseModel]:
    annotation = Settings.model_fields[table].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, BaseModel)
    return annotation


def table_models() -> dict[str, type[BaseModel]]:
    """Return every table's name with its typed model, in the order of the file."""
    return {table: _table_model(table) for table in Settings.model_fields}
