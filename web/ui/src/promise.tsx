// The price of a promise: how much a service can carry at its present load, for each share of
// intervals in which its bound is to be kept. It is for the person who chooses the target.

import { useMemo, useState } from "preact/hooks";

import { get, path, type PromiseAnswer, type PromisePoint } from "./api";
import { Chart, Legend, type Line } from "./chart";
import { clock, digits, percent, rate, seconds, unknown } from "./format";
import { useLive } from "./live";
import { Note, useAsked } from "./parts";
import { to } from "./route";

export function PromisePage({ mesh, service }: { mesh: string; service: string }) {
  const live = useLive();
  const all = live.meshes.flatMap((h) => (h.mesh.services ?? []).filter((s) => s.objectives?.some((o) => o.bound)).map((s) => ({ mesh: h.mesh.name, service: s.name })));
  const at = all.find((x) => x.mesh === mesh && x.service === service) ?? all[0];
  return (
    <>
      <h1>The price of a promise</h1>
      {all.length > 0 && at ? (
        <>
          <div class="filter">
            <label>
              Service{" "}
              <select value={at.mesh + "/" + at.service} onChange={(e) => (location.hash = to("promise", e.currentTarget.value.split("/")))}>
                {all.slice(0, 2000).map((x) => (
                  <option key={x.mesh + "/" + x.service} value={x.mesh + "/" + x.service}>
                    {x.mesh} / {x.service}
                  </option>
                ))}
              </select>
            </label>
          </div>
          <Priced key={at.mesh + "/" + at.service} {...at} />
        </>
      ) : (
        <p>No service has a latency objective.</p>
      )}
    </>
  );
}

function Priced({ mesh, service }: { mesh: string; service: string }) {
  const [again, ask] = useState(0);
  const services = useLive().meshes.find((h) => h.mesh.name === mesh)?.mesh.services ?? [];
  const asked = useAsked(() => get<PromiseAnswer>(path("meshes", mesh, "services", service, "promise")), mesh + "/" + service, again);
  if (asked.error) {
    return (
      <Note tone="warn" title="It cannot be said now.">
        {asked.error}
      </Note>
    );
  }
  if (!asked.value) return <p class="quiet">It is read…</p>;
  const sum = (f: (s: { offered: number | null; carried: number | null }) => number | null) =>
    services.reduce((n: number | null, s) => (n === null || f(s) === null ? null : n + (f(s) ?? 0)), 0);
  const whole = { offered: sum((s) => s.offered) ?? asked.value.offered, carried: sum((s) => s.carried) };
  return <Frontier a={asked.value} service={service} whole={whole} again={() => ask(again + 1)} />;
}

/** place puts a target on an axis on which each step to the right is a tenth of the budget. */
const place = (target: number): number => -Math.log10(1 - target);
const targetAt = (x: number): number => 1 - 10 ** -x;

const written = (target: number): string => String(+(100 * target).toFixed(2)) + " %";

interface Whole {
  offered: number; // requests/s of all services
  carried: number | null;
}

function Frontier({ a, service, whole, again }: { a: PromiseAnswer; service: string; whole: Whole; again: () => void }) {
  const carriedNow = whole.carried;
  const [at, point] = useState<number | null>(null);
  const scaled = a.points.some((p) => p.replicas !== null);
  // The present point has a place of its own on the axis, between those of the frontier.
  const merged = useMemo(() => {
    const xs = new Map<number, { p?: PromisePoint; today?: boolean; kept?: boolean }>();
    for (const p of a.points) xs.set(place(p.target), { p });
    const today = place(a.target);
    xs.set(today, { ...xs.get(today), today: true });
    if (a.kept_ratio !== null && a.kept_ratio < 1) {
      const kept = Math.max(place(0.5), Math.min(place(0.999), place(a.kept_ratio)));
      xs.set(kept, { ...xs.get(kept), kept: true });
    }
    return [...xs.entries()].sort((p, q) => p[0] - q[0]);
  }, [a]);
  const x = useMemo(() => merged.map(([v]) => v), [merged]);
  const lines: Line[] = useMemo(() => {
    const of = (f: (p: PromisePoint) => number | null) => {
      const known = a.points.map((p): [number, number | null] => [place(p.target), f(p)]);
      return merged.map(([v, m]) => (m.p ? f(m.p) : between(known, v)));
    };
    return [
      { label: "high", values: of((p) => p.carried_all_high), colour: "--band", width: 1 },
      { label: "low", values: of((p) => p.carried_all_low ?? 0), colour: "--band", width: 1 },
      { label: "all", values: of((p) => p.carried_all), colour: "--c1", width: 2.5 },
      { label: "service", values: of((p) => p.carried), colour: "--c3", width: 1.5, dash: [6, 4] },
      { label: "all now", values: merged.map(([, m]) => (m.today ? carriedNow : null)), colour: "--ink", points: true },
      { label: "now", values: merged.map(([, m]) => (m.today ? a.carried : null)), colour: "--ink", points: true },
    ];
  }, [merged, a, carriedNow]);
  const here = merged[at ?? -1]?.[1].p ?? nearest(a.points, at === null ? a.target : targetAt(x[at] ?? 0));
  const marks = useMemo(() => {
    const out = [{ at: place(a.target), colour: "--ink", label: "target" }];
    if (a.kept_ratio !== null && a.kept_ratio < 1) out.push({ at: Math.max(place(0.5), Math.min(place(0.999), place(a.kept_ratio))), colour: "--c2", label: "kept" });
    return out;
  }, [a]);
  return (
    <>
      <p class="sentence">
        To keep {service} within {seconds(a.bound)} in {written(a.target)} of the intervals, all services together are expected to carry {priceOf(nearest(a.points, a.target))} of
        the {rate(whole.offered)} that are offered now. {dearer(a)}
      </p>
      {!a.supported && (
        <Note tone="warn" title="The present load is outside the model's data.">
          It is answered for the nearest load there is, and nothing of this is promised.
        </Note>
      )}
      <figure>
        <figcaption>Carried load by target</figcaption>
        <Legend
          items={[
            { colour: "--c1", label: `all services at ${here ? written(here.target) : unknown}`, value: rate(here?.carried_all) },
            { colour: "--band", label: "90 % interval", value: here ? `${bound(here.carried_all_low)} to ${bound(here.carried_all_high)}` : unknown, look: "band" },
            { colour: "--c3", label: service + " alone", value: rate(here?.carried), look: "dash" },
            { colour: "--ink", label: "measured now, at the target of the rules: all, and " + service, value: `${rate(whole.carried)}, ${rate(a.carried)}`, look: "dot" },
            { colour: "--c2", label: "share of intervals kept so far", value: percent(a.kept_ratio, 3) },
          ]}
        />
        <Chart
          label={`Carried load of all services by target of ${service}: ${a.points.map((p) => `${written(p.target)}: ${p.carried_all === null ? "nothing keeps it" : rate(p.carried_all)}`).join("; ")}.`}
          x={x}
          lines={lines}
          band={[0, 1]}
          marks={marks}
          height={320}
          from={0}
          to={whole.offered}
          xSplits={[0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999].map(place)}
          xLabel={(v) => written(targetAt(v))}
          yLabel={(v) => digits(v) + "/s"}
          at={point}
        />
      </figure>
      <div class="scroll" tabIndex={0} role="region" aria-label="The frontier in numbers">
        <table>
          <thead>
            <tr>
              <th scope="col" class="n">
                Target
              </th>
              <th scope="col" class="n">
                All services carry
              </th>
              <th scope="col" class="n">
                90 % interval
              </th>
              <th scope="col" class="n">
                {service}
              </th>
              {scaled && (
                <th scope="col" class="n">
                  Replicas
                </th>
              )}
              <th scope="col" class="n">
                Broken, expected
              </th>
            </tr>
          </thead>
          <tbody>
            {a.points.map((p) => (
              <tr key={p.target} class={p.target === nearest(a.points, a.target)?.target ? "here" : ""}>
                <th scope="row" class="n">
                  {written(p.target)}
                  {p.target === nearest(a.points, a.target)?.target && <span class="quiet"> the rules</span>}
                </th>
                <td class="n">{p.carried_all === null ? "nothing keeps it" : rate(p.carried_all)}</td>
                <td class="n">
                  {bound(p.carried_all_low)} to {bound(p.carried_all_high)}
                </td>
                <td class="n">{p.carried === null ? "" : rate(p.carried)}</td>
                {scaled && <td class="n">{p.replicas ?? unknown}</td>}
                <td class="n">{percent(p.broken_ratio)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet">
        At the load of {clock(a.at)} UTC, by the model of policy {a.policy} (<code>{a.artefact}</code>), with what was learned of it since. Each point is the action worth most
        that keeps the target and the other services' budgets; the interval is of the chance of a violation, by {a.configurations} configurations held out.
        {a.expected &&
          ` The settings in force are expected to carry ${rate(a.expected.carried)} and to break the bound in ${percent(a.expected.broken_ratio)} of the intervals.`}{" "}
        <button type="button" class="link" onClick={again}>
          Ask again
        </button>
      </p>
    </>
  );
}

const bound = (v: number | null): string => (v === null ? "none" : rate(v));

/** between interpolates a frontier that has no point just there. */
function between(known: [number, number | null][], x: number): number | null {
  const i = known.findIndex(([v]) => v >= x);
  const [a, b] = [known[i - 1], known[i]];
  if (!b) return null;
  if (!a || a[1] === null || b[1] === null) return b[1];
  return a[1] + ((b[1] - a[1]) * (x - a[0])) / (b[0] - a[0]);
}

const nearest = (points: PromisePoint[], target: number): PromisePoint | undefined =>
  [...points].sort((p, q) => Math.abs(place(p.target) - place(target)) - Math.abs(place(q.target) - place(target)))[0];

const priceOf = (p: PromisePoint | undefined): string => (!p ? unknown : p.carried_all === null ? "nothing" : `${rate(p.carried_all)} (${bound(p.carried_all_low)} to ${bound(p.carried_all_high)})`);

/** dearer says what the next stricter target would cost. */
function dearer(a: PromiseAnswer): string {
  const i = a.points.findIndex((p) => p === nearest(a.points, a.target));
  const now = a.points[i]?.carried_all;
  for (const p of a.points.slice(i + 1)) {
    if (now === null || now === undefined) return "No setting is expected to keep this target.";
    if (p.carried_all === null) return `No setting is expected to keep ${written(p.target)}.`;
    if (p.carried_all < now - 1e-9) return `${written(p.target)} would cost ${rate(now - p.carried_all)} of it.`;
  }
  return "A stricter target would cost nothing at this load.";
}
