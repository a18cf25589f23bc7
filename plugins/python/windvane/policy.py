"""The contract between windvane and its policies: what a policy is given and what it answers.

A mirror of the Go package plugins/policy, which says more about each field. Kinds, roles and
statuses are their lower-case names. Everything that a policy is given is read-only, except
for what it copies, as in dict(observation.live).
"""

import dataclasses
import typing


class KnobID(typing.NamedTuple):
    """The name of a knob: kind "blocking", "replicas" or "weight"; target the service,
    "namespace/deployment" or "namespace/virtualservice/route"; part the destination of a weight."""

    kind: str
    target: str
    part: str = ""

    def __str__(self):
        return f"{self.kind} of {self.target}" + (f", {self.part}" if self.part else "")


@dataclasses.dataclass(frozen=True, slots=True)
class Knob:
    """One thing that may be set: to anything from min to max; levels are those of a grid."""

    id: KnobID
    service: str  # that it acts on; empty for replicas
    min: float
    max: float
    levels: int
    cost: float  # per unit and interval; replicas only

    def clip(self, value):
        """The nearest value within the knob's range."""
        return max(self.min, min(self.max, value))


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """One measurement of one service. The value is in the base unit of the role: requests/s
    ("offered", "carried"), seconds ("latency"), a share ("ratio"); "context" is no control."""

    name: str
    service: str
    role: str
    value: float
    at: float | None  # of the newest sample, seconds since 1970 UTC
    status: str  # "absent", "stale", "invalid" or "valid"

    def get(self):
        """The value, or None where it may not be used: absence is never 0."""
        return self.value if self.status == "valid" else None


class State(tuple):
    """All signals, sorted by service, then name."""

    __slots__ = ()

    def find(self, service, name):
        """A service's signal of this name; an absent one if there is none."""
        for s in self:
            if s.service == service and s.name == name:
                return s
        return Signal(name, service, "", 0.0, None, "absent")

    def role(self, service, role):
        """A service's first signal of this role; an absent one if there is none."""
        for s in self:
            if s.service == service and s.role == role:
                return s
        return Signal("", service, role, 0.0, None, "absent")


@dataclasses.dataclass(frozen=True, slots=True)
class Objective:
    """One promise about a service, with the control state that the host keeps for it."""

    signal: str
    kind: str  # "latency" or "ratio"
    bound: float  # seconds; latency only
    budget: float  # share of intervals in which it may be broken
    margin: float
    residual: float
    correction: tuple[float, ...]
    price: float
    lag: float
    calibrated: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """One service of the mesh."""

    name: str
    value: float  # worth of one carried request
    floor: float  # carried load that must not be blocked away, requests/s
    objectives: tuple[Objective, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The guard's limits, given so that edits are rare."""

    max_step: float  # of a weight, and of blocking downwards, in one cycle
    total_blocking: float  # largest share of all offered requests
    frozen: str  # why only raising blocking is admitted; empty: everything is


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """All that a policy may use for a decision."""

    mesh: str
    at: float | None  # seconds since 1970 UTC
    state: State
    live: typing.Mapping[KnobID, float]  # the settings in force
    knobs: tuple[Knob, ...]  # in the order of actions
    limits: Limits
    services: tuple[Service, ...]  # sorted by name

    def knobs_of(self, service, kind):
        """The knobs of one kind that act on a service."""
        return [k for k in self.knobs if k.service == service and k.id.kind == kind]


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What a policy expects of one objective's signal, before any margin."""

    service: str
    signal: str
    value: float
    supported: bool = True  # False: outside the data behind the model; nothing is promised
    risk: float = 0.0  # chance that the bound will be broken; 0: not said
    scale: float = 0.0  # of the errors where so much is predicted, beside those of all predictions; 0: 1


@dataclasses.dataclass(frozen=True, slots=True)
class Alternative:
    """An action that was considered and not chosen."""

    action: typing.Mapping[KnobID, float]
    score: float
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """A policy's answer: a value for each knob of the observation, the weights of a target
    summing to 1; or, with abstain, none, and the live settings are held."""

    action: typing.Mapping[KnobID, float] = dataclasses.field(default_factory=dict)
    reason: str = ""  # a sentence for a person
    abstain: bool = False
    infeasible: bool = False  # no action keeps every objective
    expected: typing.Sequence[Prediction] = ()  # for action
    expected_live: typing.Sequence[Prediction] = ()  # for the live settings
    alternatives: typing.Sequence[Alternative] = ()  # at most 5


@dataclasses.dataclass(frozen=True, slots=True)
class Description:
    """What a policy says of itself."""

    name: str
    version: str
    artefact: bool
    trains: bool
    exports: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """For people to read: what a policy does."""

    columns: typing.Sequence[str]
    rows: typing.Sequence[typing.Sequence[str]]
    note: str = ""  # what it leaves out


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training."""

    artefact: bytes  # as configure will get it
    summary: str = ""  # a sentence for a person


class Policy:
    """Subclass it: set name and version, write decide.

    Calls are made one at a time. An exception is an error of that call, with its traceback in
    windvane's log; the fallback policy then decides.
    """

    name = ""
    version = ""
    artefact = False  # configure needs a trained artefact

    def configure(self, settings, card, artefact):
        """Called after each start, before the first decide: settings is the policy's own table
        of the rules file, card that of the artefact (None: there is none), artefact its bytes.
        Raise ValueError for what cannot be used, settings of an unknown name among it: a
        misspelt one is to be found when it is written."""
        if settings:
            raise ValueError(f"settings: there are none, and got {', '.join(sorted(settings))}")

    def decide(self, observation):
        """Answer an Observation with a Decision. Pure and deterministic: the same observation
        gets the same decision, in any order, after any restart; keep nothing between calls."""
        raise NotImplementedError

    def train(self, simulator, seed, settings, progress):
        """Optional: return what is Trained against the simulator at this address (see
        SimVectorEnv); configure will be given the same settings with it. The same seed gives the
        same artefact, byte for byte. progress(done, total, note) tells how far it is. It runs
        in a process of its own that was not configured."""
        raise NotImplementedError

    def export(self, rows):
        """Optional: say in a Table of at most so many rows what the policy does."""
        raise NotImplementedError

    def describe(self):
        """What is told to windvane."""
        kind = type(self)
        return Description(
            self.name or kind.__name__.lower(), self.version, self.artefact,
            trains=kind.train is not Policy.train, exports=kind.export is not Policy.export,
        )
