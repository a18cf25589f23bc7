// What an engineer who is woken at night looks at: what windvane does, why, how the services
// are, and how to stop it.

import { useMemo, useState } from "preact/hooks";

import type { Mesh, Objective, Service } from "./api";
import { Legend } from "./chart";
import { Bullet, broken, now as measured, spoken } from "./bullet";
import { clock, digits, duration, percent, plural, rate, seconds, signed, unknown } from "./format";
import { age, old, useClock, useLive, type Held } from "./live";
import { Flag, Note } from "./parts";
import { to } from "./route";
import { Rows, useMatch } from "./rows";
import { Pending, Stop } from "./acting";

export function Overview() {
  const live = useLive();
  if (!live.status) return null;
  return (
    <>
      <h1 class="hidden">Overview</h1>
      {live.status.reload_error && (
        <Note tone="bad" title="The last reload failed.">
          The old configuration is in force: {live.status.reload_error}
        </Note>
      )}
      {live.meshes.length === 0 && <p>The configuration names no mesh.</p>}
      {live.meshes.map((h) => (
        <MeshSection key={h.mesh.name} held={h} />
      ))}
    </>
  );
}

const levels: Record<string, string> = {
  observe: "observes: it decides, and writes nothing",
  approve: "asks: a person approves each plan",
  act: "acts by itself",
};

function MeshSection({ held }: { held: Held }) {
  const m = held.mesh;
  return (
    <section class="mesh" aria-labelledby={"mesh-" + m.name}>
      <header class="mesh-head">
        <div>
          <h2 id={"mesh-" + m.name}>{m.name}</h2>
          <p class="authority">
            <span class={"level " + m.authority}>{m.authority}</span> {levels[m.authority]}
            <span class="quiet">
              {" "}
              · <Cycle held={held} />
            </span>
          </p>
        </div>
        <Stop mesh={m} />
      </header>
      <p class="sentence">{m.sentence}</p>
      <Troubles held={held} />
      <Services mesh={m} />
    </section>
  );
}

function Cycle({ held }: { held: Held }) {
  const t = useClock();
  const a = age(held, t);
  if (a === null || held.mesh.at === null) return <>no cycle yet</>;
  return (
    <>
      cycle {held.mesh.cycle} at {clock(held.mesh.at)} UTC, {duration(a)} ago
    </>
  );
}

/** Troubles are the notes about a mesh, the worst first. */
function Troubles({ held }: { held: Held }) {
  const m = held.mesh;
  const t = useClock();
  const a = age(held, t);
  const down = (m.plugins ?? []).filter((p) => !p.up || p.quarantined);
  const lowered = (m.authority_sources ?? []).filter((s) => s.source !== "file");
  const problems = m.problems ?? [];
  const blind = (m.services ?? []).length > 0 && (m.services ?? []).every((s) => s.offered === null && s.carried === null);
  const alerts = m.alerts ?? [];
  return (
    <div class="notes">
      {old(held, t) && (
        <Note tone="bad" title="These data are old.">
          The last cycle ended {duration(a ?? 0)} ago; one is due every {duration(m.interval_seconds)}.
        </Note>
      )}
      {m.error && (
        <Note tone="bad" title="Something failed in the last cycle.">
          {m.error}
        </Note>
      )}
      {down.map((p) => (
        <Note key={p.policy} tone="bad" title={`The plugin of policy ${p.policy} is ${p.quarantined ? "in quarantine" : "down"}.`}>
          {p.last_error}
        </Note>
      ))}
      {m.pending_plan && <Pending plan={m.pending_plan} />}
      {problems.length > 0 && (
        <Note
          tone={blind ? "bad" : "warn"}
          title={blind ? "Nothing is measured, and windvane changes nothing for it." : `${plural(problems.length, "signal")} cannot be used, and ${problems.length > 1 ? "count" : "counts"} as unknown.`}
        >
          {problems.slice(0, 3).join("; ")}
          {problems.length > 3 && `; and ${problems.length - 3} more`}
        </Note>
      )}
      {m.harm_ratio > 0.25 && (
        <Note tone="warn" title="It may do harm.">
          The evidence has come {percent(m.harm_ratio)} of the way to a demotion.
        </Note>
      )}
      {alerts.length > 0 && (
        <Note tone="warn" title={`${plural(alerts.length + (m.alerts_omitted ?? 0), "alert")} of Alertmanager ${alerts.length > 1 ? "fire" : "fires"}.`}>
          {alerts.map((x) => `${x.name} since ${clock(x.starts_at)}`).join(", ")}
        </Note>
      )}
      {lowered.map((s) => (
        <Note key={s.source} tone="calm" title={`Authority ${s.level}, by ${s.source}${s.by ? " of " + s.by : ""}.`}>
          {s.why}
        </Note>
      ))}
      {m.superseded && (
        <Note tone="calm" title="No longer to be approved:">
          {m.superseded}
        </Note>
      )}
    </div>
  );
}

interface Item {
  service: Service;
  o: Objective | null;
  first: boolean; // of the service's objectives
  rank: number; // 0: the worst
  tone: string;
}

function itemsOf(m: Mesh): Item[] {
  const out: Item[] = [];
  for (const service of m.services ?? []) {
    const objectives: (Objective | null)[] = service.objectives?.length ? service.objectives : [null];
    objectives.forEach((o, i) => {
      const rank = !o ? 3 : o.burning || (o.left_ratio !== null && o.left_ratio < 0) ? 0 : broken(o) ? 1 : o.value === null ? 2 : 3;
      out.push({ service, o, first: i === 0, rank, tone: rank === 0 ? "burns" : "" });
    });
  }
  return out;
}

const many = 12; // services, from which on one wants to filter, and sees the worst first

function Services({ mesh }: { mesh: Mesh }) {
  const [wanted, want] = useState("");
  const narrow = useMatch("(max-width: 68rem)");
  const items = useMemo(() => itemsOf(mesh), [mesh]);
  const long = items.length > many;
  const shown = useMemo(() => {
    const found = wanted ? items.filter((x) => x.service.name.includes(wanted.trim())) : items;
    return long ? [...found].sort((a, b) => a.rank - b.rank) : found;
  }, [items, wanted, long]);
  const count = (n: number) => items.filter((x) => x.rank === n).length;
  return (
    <>
      {long && (
        <div class="filter">
          <label>
            Service <input type="search" value={wanted} onInput={(e) => want(e.currentTarget.value)} placeholder="part of a name" />
          </label>
          <p aria-live="polite">
            {plural(items.length, "objective")}: {count(0)} burn their budget too fast or have spent it, {count(1)} others are above their bound now, {count(2)} are not
            known{wanted && `; ${shown.length} shown`}
          </p>
        </div>
      )}
      <Rows
        items={shown}
        height={narrow ? 8.25 : 2.9}
        label={"Services of mesh " + mesh.name}
        id={(x) => x.service.name + "/" + (x.o?.signal ?? "")}
        tone={(x) => x.tone}
        head={
          <>
            <span role="columnheader">Service</span>
            <span role="columnheader">Objective now, bound and margin</span>
            <span role="columnheader" class="n">
              Carried of offered
            </span>
            <span role="columnheader" class="n">
              Blocked
            </span>
            <span role="columnheader" class="n">
              Budget left
            </span>
            <span role="columnheader" class="n">
              Burn rate, 1 h
            </span>
          </>
        }
        row={(x) => <Cells mesh={mesh.name} x={x} />}
      />
      {items.some((x) => x.o?.bound) && (
        <Legend
          items={[
            { colour: "--ink", label: "now", value: "" },
            { colour: "--c1", label: "bound", value: "", look: "mark" },
            ...(items.some((x) => x.o?.margin) ? ([{ colour: "--band", label: "margin, which policies keep free", value: "", look: "band" }] as const) : []),
          ]}
        />
      )}
    </>
  );
}

function Cells({ mesh, x }: { mesh: string; x: Item }) {
  const { service, o } = x;
  return (
    <>
      <span role="cell" class="name">
        <a href={to("service", [mesh, service.name])}>{service.name}</a>
        {!x.first && <span class="quiet"> {o?.signal}</span>}
      </span>
      <span role="cell" class="objective">
        {o ? <Standing o={o} /> : <span class="quiet">no objective</span>}
      </span>
      <span role="cell" class="n load" data-label="Carried">
        <span>
          {rate(service.carried)} {(service.carried !== null || service.offered !== null) && <span class="quiet">of {rate(service.offered)}</span>}
        </span>
      </span>
      <span role="cell" class="n" data-label="Blocked">
        {service.blocking === null ? <span class="quiet">{unknown}</span> : percent(service.blocking)}
      </span>
      <span role="cell" class="n" data-label="Budget left">
        {o && <Left o={o} />}
      </span>
      <span role="cell" class="n" data-label="Burn, 1 h">
        {o && <Burn o={o} />}
      </span>
    </>
  );
}

function Standing({ o }: { o: Objective }) {
  const over = broken(o);
  return (
    <>
      <span class="figures">
        <span class={"now" + (over ? " over" : "")}>
          {over && <span aria-hidden="true">▲ </span>}
          {measured(o)}
        </span>
        <span class="quiet">
          {" "}
          {o.value === null ? `(${o.status}) ` : ""}of {o.bound ? seconds(o.bound) : percent(o.budget)}
          {o.bound && o.margin !== 0 && o.value !== null ? `, margin ${signed(o.margin)}` : ""}
        </span>
        {over && <span class="hidden"> above its bound</span>}
      </span>
      {o.bound ? (
        <span title={spoken(o)} class="bar">
          <Bullet o={o} />
        </span>
      ) : null}
    </>
  );
}

function Left({ o }: { o: Objective }) {
  if (o.left_ratio === null) return <span class="quiet">{unknown}</span>;
  const over = `${duration(o.window_seconds)} window, budget ${percent(o.budget)}`;
  return (
    <span title={`${over}${o.shared ? `, shared as ${o.shared}` : ""}`}>
      {o.left_ratio < 0 ? <Flag tone="bad">{percent(o.left_ratio)}</Flag> : percent(o.left_ratio)}
    </span>
  );
}

/** Burn is how many budgets are spent at the pace of the last hour. */
function Burn({ o }: { o: Objective }) {
  const rates = o.burn_rates ?? {};
  const hour = rates["1h"] ?? rates["5m"];
  const all = Object.entries(rates)
    .map(([w, v]) => `${w}: ${digits(v)}×`)
    .join(", ");
  if (hour === undefined) return <span class="quiet">{unknown}</span>;
  return <span title={all}>{o.burning ? (
        <Flag tone="bad">
          {digits(hour, 2)}×<span class="hidden"> too fast, over {o.burning}</span>
        </Flag>
      ) : (
        digits(hour, 2) + "×"
      )}</span>;
}
