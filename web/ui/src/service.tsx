// One service over time: its objectives against their bounds, what it carried, and what
// windvane did about it.

import { useMemo, useState } from "preact/hooks";

import { get, path, type History, type Mark } from "./api";
import { Chart, Legend, type Tick } from "./chart";
import { changes, clock, digits, percent, rate, seconds, signed, unknown } from "./format";
import { useLive } from "./live";
import { Note, useAsked } from "./parts";
import { to } from "./route";

/** spans are the times to show, and after how many cycles each is read again: a long one costs more. */
const spans: [string, string, number][] = [
  ["15m", "15 min", 1],
  ["1h", "1 h", 4],
  ["3h", "3 h", 12],
];

/** kinds are what may be marked: a letter, a word and a colour. */
const kinds: Record<string, { letter: string; word: string; colour: string }> = {
  change: { letter: "C", word: "change of settings", colour: "--c1" },
  hold: { letter: "H", word: "nothing may be changed", colour: "--warn" },
  fallback: { letter: "F", word: "the fallback decides", colour: "--warn" },
  alert: { letter: "A", word: "alert", colour: "--bad" },
  role: { letter: "P", word: "policy promoted or demoted", colour: "--muted" },
  release: { letter: "R", word: "settings given back", colour: "--muted" },
  note: { letter: "N", word: "remark", colour: "--muted" },
};

export function ServicePage({ mesh, service }: { mesh: string; service: string }) {
  const live = useLive();
  const [span, setSpan] = useState("15m");
  const every = spans.find(([s]) => s === span)?.[2] ?? 1;
  const cycle = Math.floor((live.meshes.find((h) => h.mesh.name === mesh)?.mesh.cycle ?? 0) / every);
  const asked = useAsked(() => get<History>(path("meshes", mesh, "services", service, "history") + "?last=" + span), mesh + "/" + service, `${span} ${cycle}`);
  return (
    <>
      <p class="crumbs">
        <a href={to("overview")}>Overview</a> / {mesh} / {service}
      </p>
      <div class="page-head">
        <h1>{service}</h1>
        <div class="choice" role="group" aria-label="Time to show">
          {spans.map(([s, word]) => (
            <button type="button" key={s} aria-pressed={s === span} onClick={() => setSpan(s)}>
              {word}
            </button>
          ))}
        </div>
        <a href={to("promise", [mesh, service])}>What its promise costs</a>
      </div>
      {asked.error && (
        <Note tone="bad" title="Its history cannot be read.">
          {asked.error}
        </Note>
      )}
      {asked.value && <Over h={asked.value} />}
      {!asked.value && !asked.error && <p class="quiet">The journal is read…</p>}
    </>
  );
}

function Over({ h }: { h: History }) {
  const [at, point] = useState<number | null>(null);
  const x = useMemo(() => h.at.map((t) => Date.parse(t) / 1000), [h]);
  const shown = useMemo(() => h.marks.filter((m) => kinds[m.kind]), [h]);
  const ticks: Tick[] = useMemo(
    () =>
      shown.map((m) => {
        const k = kinds[m.kind] ?? { letter: "?", colour: "--muted" };
        return { at: Date.parse(m.at) / 1000, colour: k.colour, label: k.letter };
      }),
    [shown],
  );
  const i = at ?? x.length - 1;
  const when = h.at[i];
  if (x.length === 0) return <p>There is no cycle in this time.</p>;
  const common = { x, time: true, sync: "service", at: point, marks: ticks };
  return (
    <>
      <p class="quiet">
        {at === null ? "Newest values" : "Values"} at {when ? clock(when) : unknown} UTC.
        {!h.complete && " The journal has more of this time than one answer holds: the newest is shown."}
      </p>
      {h.objectives.map((o) => (
        <ObjectiveChart key={o.signal} o={o} i={i} common={common} />
      ))}
      <figure>
        <figcaption>Load</figcaption>
        <Legend
          items={[
            { colour: "--muted", label: "offered", value: rate(h.offered[i]), look: "dash" },
            { colour: "--c1", label: "carried", value: rate(h.carried[i]) },
          ]}
        />
        <Chart
          {...common}
          label={`Load of ${h.service} over time. Now ${rate(h.carried[x.length - 1])} carried of ${rate(h.offered[x.length - 1])} offered.`}
          lines={[
            { label: "offered", values: h.offered, colour: "--muted", dash: [5, 4] },
            { label: "carried", values: h.carried, colour: "--c1", width: 2 },
          ]}
          from={0}
          yLabel={(v) => digits(v) + "/s"}
        />
      </figure>
      {h.blocking.some((v) => v !== null) && (
        <figure>
          <figcaption>Blocked</figcaption>
          <Legend items={[{ colour: "--c2", label: "share of requests that is refused", value: percent(h.blocking[i]) }]} />
          <Chart
            {...common}
            height={140}
            label={`Blocking of ${h.service} over time. Now ${percent(h.blocking[x.length - 1])}.`}
            lines={[{ label: "blocked", values: h.blocking, colour: "--c2", width: 2, steps: true }]}
            from={0}
            to={0.1}
            yLabel={(v) => digits(100 * v) + " %"}
          />
        </figure>
      )}
      <Happened marks={shown} mesh={h.mesh} />
    </>
  );
}

function ObjectiveChart({ o, i, common }: { o: History["objectives"][number]; i: number; common: { x: number[]; marks: Tick[] } }) {
  const bound = o.bound ?? 0;
  const unit = (v: number | null | undefined) => (o.bound ? seconds(v) : percent(v));
  const limits = useMemo(() => o.margin.map((m) => (m === null || !bound ? null : bound / (1 + m))), [o]);
  const bounds = useMemo(() => o.value.map(() => (bound ? bound : null)), [o]);
  const over = o.value.filter((v) => v !== null && bound > 0 && v > bound).length;
  const known = o.value.filter((v) => v !== null).length;
  const margin = o.margin[i];
  return (
    <figure>
      <figcaption>
        {o.signal}
        {bound > 0 && (
          <span class="quiet">
            {" "}
            · above its bound in {over} of {known} intervals that were measured
          </span>
        )}
      </figcaption>
      <Legend
        items={[
          { colour: "--ink", label: "measured", value: unit(o.value[i]) },
          { colour: "--c3", label: "predicted", value: unit(o.expected[i]), look: "dot" },
          ...(bound
            ? ([
                { colour: "--c1", label: "bound", value: seconds(bound) },
                { colour: "--band", label: "margin, kept free by policies", value: margin === null || margin === undefined ? unknown : signed(margin), look: "band" },
              ] as const)
            : []),
        ]}
      />
      <Chart
        {...common}
        time
        sync="service"
        height={220}
        label={`${o.signal} over time. Now ${unit(o.value[o.value.length - 1])}${bound ? `, bound ${seconds(bound)}; above it in ${over} of ${known} intervals` : ""}.`}
        lines={[
          { label: "bound", values: bounds, colour: "--c1", width: 2 },
          { label: "limit", values: limits, colour: "--band", width: 1 },
          { label: "predicted", values: o.expected, colour: "--c3", points: true },
          { label: "measured", values: o.value, colour: "--ink", width: 1.75 },
        ]}
        band={bound ? [0, 1] : undefined}
        from={0}
        to={1.2 * bound}
        yLabel={(v) => (o.bound ? seconds(v) : percent(v))}
      />
    </figure>
  );
}

const few = 25; // marks in the list, until one asks for all

function Happened({ marks, mesh }: { marks: Mark[]; mesh: string }) {
  const [all, show] = useState(false);
  const list = [...marks].reverse().slice(0, all ? undefined : few);
  return (
    <section aria-labelledby="happened">
      <h2 id="happened">What happened</h2>
      {list.length === 0 && <p class="quiet">Nothing was changed, held or reported in this time.</p>}
      <ol class="happened">
        {list.map((m, i) => {
          const k = kinds[m.kind];
          return (
            <li key={m.at + m.kind + i}>
              <span class="when">{clock(m.at)}</span>
              <span class={"letter " + (k?.colour.slice(2) ?? "")} aria-hidden="true">
                {k?.letter}
              </span>
              <span>
                <span class="quiet">{k?.word}: </span>
                {m.decision ? <a href={to("decisions", [m.decision], { mesh })}>{m.changes ? changes(m.changes) : m.text}</a> : m.text}
              </span>
            </li>
          );
        })}
      </ol>
      {marks.length > list.length && (
        <button type="button" onClick={() => show(true)}>
          All {marks.length}
        </button>
      )}
    </section>
  );
}
