"""The pipeline: the order of the steps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime

from auditstream.contract.catalogue import Catalogue, load_catalogue, shipped_catalogue
from auditstream.contract.limits import MAX_EVENT_BYTES, MAX_FUTURE_SECONDS
from auditstream.contract.schemas import shipped_schemas
from auditstream.pipeline.actions import Actions
from auditstream.pipeline.address import Addresses
from auditstream.pipeline.decode import decode
from auditstream.pipeline.deduplicate import deduplicate
from auditstream.pipeline.detect import Detector
from auditstream.pipeline.enrich import Enricher
from auditstream.pipeline.history import History
from auditstream.pipeline.look_up import look_up_events, look_up_roles
from auditstream.pipeline.records import Batch, Processed, Records
from auditstream.pipeline.sentence import Sentences
from auditstream.pipeline.validate import validate
from auditstream.pipeline.writers import SchemaSource, Writers
from auditstream.rules.load import load_rules
from auditstream.rules.rule import Rule
from auditstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Size in bytes of a value at most, seconds it may lie ahead, seconds from which it is late."""

    max_event_bytes: int = MAX_EVENT_BYTES
    max_future_seconds: float = MAX_FUTURE_SECONDS
    late_seconds: float = 300.0


class Pipeline:
    """From the records of a fetch to rows, rejects and alerts.

    One thread may process while another one reads ahead.

    Raises:
        ContractError: a sentence of the catalogue is wrong.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: Sequence[Rule],
        schemas: SchemaSource | None = None,
        addresses: Addresses | None = None,
        limits: Limits | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limits = limits or Limits()
        self._writers = Writers(schemas or shipped_schemas().get)
        self._actions = Actions(catalogue)
        self._enricher = Enricher(
            self._actions,
            Sentences(catalogue),
            addresses or Addresses(),
            self._limits.late_seconds,
        )
        self._detector = Detector(rules)
        self._clock = clock
        self._aside = ThreadPoolExecutor(1, "look-up")

    @property
    def catalogue(self) -> Catalogue:
        """The actions that are accepted."""
        return self._actions.catalogue

    def with_rules(self, rules: Sequence[Rule], watched: Collection[str] = ()) -> Pipeline:
        """Return this pipeline with other rules; both may be used.

        The hits of those `watched`, by name, are told beside the alerts.

        Raises:
            ContractError: a rule's sentence is wrong.
        """
        other = copy(self)
        other._detector = Detector(rules, watched)
        return other

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        schemas: SchemaSource | None = None,
        rules: Sequence[Rule] | None = None,
    ) -> Pipeline:
        """Build the pipeline that the settings describe.

        Without `schemas` it reads the shipped ones, without `rules` it has those of the settings.

        Raises:
            ConfigurationError: a setting names a file that cannot be read.
            RuleError, ContractError: a rule or the catalogue is wrong.
        """
        file = settings.catalogue_file
        catalogue = load_catalogue(file) if file else shipped_catalogue()
        return cls(
            catalogue,
            load_rules(settings.rules_dir, catalogue=catalogue).rules if rules is None else rules,
            schemas,
            Addresses(settings.geoip_country_file, settings.geoip_network_file),
            Limits(settings.max_event_bytes, settings.max_future_seconds, settings.late_seconds),
        )

    def process(self, records: Records, history: History, read: Batch | None = None) -> Processed:
        """Process the records of one fetch; what is wrong with a record becomes a reject.

        `read` is what `read` has made of these records already, if it was called ahead. Blocks
        while the history and the source of schemas do, and raises what they raise
        (AuditStreamError); the same records may then be processed again.
        """
        batch = read or self.read(records)
        # At once, since both wait for the store; roles that only repeats ask for do no harm.
        roles = self._aside.submit(look_up_roles, batch.events, history, self._actions)
        batch = deduplicate(batch, look_up_events(batch.events, history))
        events = self._enricher.enrich(batch, roles.result())
        met = self._detector.match(events)
        alerts = self._detector.detect(events, batch.now, met)
        return Processed(events, batch.rejects, batch.duplicates, alerts, met)

    def read(self, records: Records) -> Batch:
        """Decode and validate: the steps without a history, which may run a fetch ahead.

        Blocks and raises as the source of schemas does.
        """
        batch = decode(records, self._writers, self._clock(), self._limits.max_event_bytes)
        return validate(batch, self._actions, self._limits.max_future_seconds)
