// The JSON of the daemon's API, as far as pages use it; docs/api.md describes it. A number
// that is null is not known: it is never 0.

export interface Objective {
  signal: string;
  value: number | null;
  status: string;
  bound?: number; // seconds; latency only
  budget: number;
  violated_ratio: number | null;
  intervals: number;
  margin: number;
  window_seconds: number;
  left_ratio: number | null;
  burn_rates: Record<string, number> | null;
  burning?: string;
  shared?: string;
}

export interface Service {
  name: string;
  offered: number | null;
  carried: number | null;
  blocking: number | null;
  objectives: Objective[] | null;
}

export interface Knob {
  kind: string;
  target: string;
  part?: string;
}

export interface Change extends Knob {
  from: number;
  to: number;
}

export interface Setting extends Knob {
  value: number;
}

export interface Plan {
  id: string;
  mesh: string;
  cycle: number;
  at: string;
  expires: string;
  policy: string;
  reason?: string;
  changes: Change[];
  approved_by?: string;
}

export interface Source {
  source: string;
  level: string;
  by?: string;
  since?: string;
  why?: string;
}

export interface Plugin {
  policy: string;
  up: boolean;
  quarantined: boolean;
  restarts: number;
  last_error?: string;
}

export interface Alert {
  name: string;
  starts_at: string;
  labels?: Record<string, string>;
}

export interface ShadowAnswer {
  policy: string;
  error?: string;
  reason?: string;
  abstain?: boolean;
  infeasible?: boolean;
  changes?: Change[];
  cut_changes?: number;
}

export interface Mesh {
  name: string;
  authority: string;
  interval_seconds: number;
  cycle: number;
  at: string | null;
  age_seconds: number | null;
  sentence: string;
  policy: string;
  policy_role: string;
  fallback_reason?: string;
  hold?: string;
  frozen?: string;
  reason?: string;
  plan: Change[] | null;
  applied: boolean;
  problems: string[] | null;
  error?: string;
  services: Service[] | null;
  plugins: Plugin[] | null;
  authority_sources: Source[] | null;
  pending_plan?: Plan;
  superseded?: string;
  alerts: Alert[] | null;
  alerts_omitted?: number;
  shadows?: ShadowAnswer[];
  harm_ratio: number;
}

export interface Status {
  version: string;
  started_at: string;
  config_file: string;
  reload_error?: string;
  meshes: Mesh[];
}

export interface Caller {
  may_act: boolean;
  by?: string;
  why?: string;
}

export interface Decision {
  id: number;
  at: string;
  mesh: string;
  cycle: number;
  authority: string;
  policy: string;
  policy_role: string;
  fallback_reason?: string;
  hold?: string;
  changes: Change[] | null;
  applied: boolean;
  edits: number;
  pending?: string;
  approved_by?: string;
  summary: string;
  result?: string;
  measured: number;
  broken: number;
}

export interface Explanation {
  mesh: string;
  at: string;
  seq: number;
  intent: {
    cycle: number;
    authority: string;
    policy: string;
    policy_role: string;
    hold?: string;
    act: boolean;
    live?: Setting[];
    guarded?: Setting[];
    decision?: { action: Setting[] | null; reason: string };
    edits?: { reason: string; knob: Knob; from: number; to: number }[];
  };
  outcome: { result: string; live: Setting[] | null } | null;
}

export interface Policy {
  mesh: string;
  name: string;
  role: string;
  since?: string;
  by?: string;
  reason?: string;
  forced?: string[];
  declared?: string;
  kind: string;
  artefact?: string;
  trained?: { id: string; written?: string; rows: number; configurations: number; seed: number };
  plugin: Plugin | null;
  agrees?: { cycles: number; same: number };
}

export interface Span {
  min: number;
  max: number;
}

export interface Card {
  policy: string;
  mesh: string;
  seed: number;
  artefact_sha256: string;
  data: { sha256: string; rows: number; configurations: number };
  services: {
    service: string;
    signal: string;
    offered: Span;
    r2: number;
    r2_loads: number | null;
    margin: number;
    spread: number;
  }[];
  knobs: (Knob & { min: number; max: number; levels: number })[];
  settings: Span[];
  best_static?: { objective: string; carried_ratio: number; feasible: boolean }[];
}

export interface PolicyDetail extends Policy {
  settings?: unknown;
  card?: Card;
  gate?: GateItem[];
  gap?: ModelGap[];
  refusals: { code: string; why: string }[] | null;
}

export interface GateItem {
  item: string;
  state: string; // pass, fail, not_enough_data or not_required
  why: string;
  needs?: string;
}

export interface ModelGap {
  service: string;
  signal: string;
  region: string;
  intervals: number;
  median: number | null;
  upper: number | null;
  carried: number | null;
  violated: number | null;
}

/** ApiError carries what the daemon says is wrong, and what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function answered(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(20_000), ...init });
  } catch {
    throw new ApiError(0, "windvane does not answer");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let message = text.trim();
  try {
    message = (JSON.parse(text) as { error: string }).error;
  } catch {
    // not of windvane: a proxy's page
  }
  throw new ApiError(answer.status, message.slice(0, 500) || `status ${answer.status}`);
}

/** get asks for JSON below api/v1, beside the page. */
export async function get<T>(path: string): Promise<T> {
  return (await answered("api/v1/" + path)).json() as Promise<T>;
}

export async function getText(path: string): Promise<string> {
  return (await answered("api/v1/" + path)).text();
}

/** act has something done. */
export async function act(method: "PUT" | "POST", path: string, body: unknown): Promise<{ by: string }> {
  const answer = await answered("api/v1/" + path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return answer.json() as Promise<{ by: string }>;
}

/** path joins parts, each escaped. */
export const path = (...parts: (string | number)[]): string => parts.map((p) => encodeURIComponent(p)).join("/");

export interface History {
  mesh: string;
  service: string;
  at: string[];
  offered: (number | null)[];
  carried: (number | null)[];
  blocking: (number | null)[];
  objectives: {
    signal: string;
    bound?: number;
    value: (number | null)[];
    expected: (number | null)[];
    margin: (number | null)[];
  }[];
  marks: Mark[];
  complete: boolean;
}

export interface Mark {
  at: string;
  kind: string;
  decision?: number;
  text: string;
  changes?: Change[];
}

export interface PromisePoint {
  target: number;
  carried: number | null;
  carried_all: number | null;
  carried_all_low: number | null;
  carried_all_high: number | null;
  replicas: number | null;
  broken_ratio: number | null;
}

export interface PromiseAnswer {
  at: string;
  signal: string;
  bound: number;
  target: number;
  kept_ratio: number | null;
  offered: number;
  carried: number | null;
  offered_all: number;
  carried_all: number | null;
  supported: boolean;
  policy: string;
  artefact: string;
  configurations: number;
  expected: { carried: number; broken_ratio: number; replicas: number | null } | null;
  points: PromisePoint[];
}
