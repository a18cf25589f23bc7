"""Messages to and from the classes of windvane.policy. What a message may not be, such as a
number that is not finite, is a ValueError that says where."""

import math
import types

from windvane import policy
from windvane.proto import policy_pb2 as pb

_KINDS = {pb.KNOB_KIND_BLOCKING: "blocking", pb.KNOB_KIND_REPLICAS: "replicas", pb.KNOB_KIND_WEIGHT: "weight"}
_KIND_NUMBERS = {name: number for number, name in _KINDS.items()}
_ROLES = {pb.ROLE_OFFERED: "offered", pb.ROLE_CARRIED: "carried", pb.ROLE_LATENCY: "latency", pb.ROLE_RATIO: "ratio", pb.ROLE_CONTEXT: "context"}
_STATUSES = {pb.STATUS_ABSENT: "absent", pb.STATUS_STALE: "stale", pb.STATUS_INVALID: "invalid", pb.STATUS_VALID: "valid"}
_OBJECTIVES = {pb.OBJECTIVE_KIND_LATENCY: "latency", pb.OBJECTIVE_KIND_RATIO: "ratio"}

MAX_REASON = 4096  # bytes
_SLACK, _WEIGHT_TOLERANCE = 1e-9, 1e-6  # as the host has them


def observation(m):
    if not m.HasField("limits"):
        raise ValueError("observation: limits are missing")
    return policy.Observation(
        m.mesh,
        _time(m),
        policy.State(_signal(s) for s in m.state),
        types.MappingProxyType({_knob_id(s, "live"): _finite(s.value, f"live {s.id.target}") for s in m.live.settings}),
        tuple(_knob(k) for k in m.knobs),
        policy.Limits(_finite(m.limits.max_step, "max_step"), _finite(m.limits.total_blocking, "total_blocking"), m.limits.frozen),
        tuple(_service(s) for s in m.services),
    )


def _finite(value, where):
    if not math.isfinite(value):
        raise ValueError(f"{where}: {value} is not a finite number")
    return value


def _named(names, number, where):
    if number not in names:
        raise ValueError(f"{where}: unknown number {number}")
    return names[number]


def _time(m):
    return m.at_unix_milliseconds / 1000 if m.HasField("at_unix_milliseconds") else None


def _signal(s):
    where = f"signal {s.name} of {s.service}"
    status = _named(_STATUSES, s.status, where + ", status")
    if status == "valid":
        _finite(s.value, where)
    return policy.Signal(s.name, s.service, _named(_ROLES, s.role, where + ", role"), s.value, _time(s), status)


def _knob_id(m, where):
    if not m.HasField("id"):
        raise ValueError(f"{where}: a knob's id is missing")
    return policy.KnobID(_named(_KINDS, m.id.kind, f"{where}, kind of knob"), m.id.target, m.id.part)


def _knob(k):
    knob_id = _knob_id(k, "knobs")
    for v in (k.min, k.max, k.cost):
        _finite(v, str(knob_id))
    return policy.Knob(knob_id, k.service, k.min, k.max, k.levels, k.cost)


def _service(s):
    return policy.Service(s.name, _finite(s.value, s.name), _finite(s.floor, s.name), tuple(_objective(o, s.name) for o in s.objectives))


def _objective(o, service):
    where = f"objective {o.signal} of {service}"
    for v in (o.bound, o.budget, o.margin, o.residual, o.price, o.lag, *o.correction):
        _finite(v, where)
    return policy.Objective(
        o.signal, _named(_OBJECTIVES, o.kind, where + ", kind"), o.bound, o.budget, o.margin, o.residual,
        tuple(o.correction), o.price, o.lag, o.calibrated,
    )


def description(d):
    return pb.Description(name=d.name, version=d.version, artefact=d.artefact, trains=d.trains, exports=d.exports)


def decision(d, observed):
    """The answer to an observation, whose knobs an action has to name, each within its range:
    what the host would refuse is an error here, with the traceback beside it in the log."""
    if not isinstance(d, policy.Decision):
        raise ValueError(f"decide returned {type(d).__name__}, want a windvane.Decision")
    return pb.Decision(
        action=None if d.abstain else _action(d.action, observed, "action"),
        abstain=d.abstain,
        infeasible=d.infeasible,
        expected=[_prediction(p) for p in d.expected],
        expected_live=[_prediction(p) for p in d.expected_live],
        alternatives=[
            pb.Alternative(action=_action(a.action, observed, "alternative"), score=a.score, reason=_sentence(a.reason)) for a in d.alternatives
        ],
        reason=_sentence(d.reason),
    )


def _action(action, observed, what):
    unknown = set(action) - {k.id for k in observed.knobs}
    if unknown:
        raise ValueError(f"{what}: there is no knob {min(map(str, unknown))}")
    out, weights = pb.Action(), {}
    for k in observed.knobs:
        if k.id not in action:
            raise ValueError(f"{what}: no value for {k.id}; start from dict(observation.live)")
        value = action[k.id]
        if not k.min - _SLACK <= value <= k.max + _SLACK:
            raise ValueError(f"{what}: {k.id} = {value} is outside [{k.min:g}, {k.max:g}]; see Knob.clip")
        if k.id.kind == "replicas" and value != int(value):
            raise ValueError(f"{what}: {k.id} = {value} is not a whole number")
        if k.id.kind == "weight":
            weights[k.id.target] = weights.get(k.id.target, 0) + value
        knob_id = pb.KnobID(kind=_KIND_NUMBERS[k.id.kind], target=k.id.target, part=k.id.part)
        out.settings.append(pb.Setting(id=knob_id, value=value))
    for target, total in weights.items():
        if abs(total - 1) > _WEIGHT_TOLERANCE:
            raise ValueError(f"{what}: the weights of {target} sum to {total}, want 1")
    return out


def _prediction(p):
    return pb.Prediction(service=p.service, signal=p.signal, value=p.value, supported=p.supported, risk=p.risk, scale=p.scale)


def _sentence(text):
    return text.encode()[:MAX_REASON].decode(errors="ignore")


def table(t):
    return pb.Table(columns=t.columns, rows=[pb.Row(cells=r) for r in t.rows], note=t.note)
