// The frontier of what is promised against what is carried.

import { useMemo, useState } from "preact/hooks";

import type { PromiseAnswer, PromisePoint } from "./api";
import { Chart, Legend, type Line } from "./chart";
import { digits, percent, rate, unknown } from "./format";
import { between, between90, nearest, place, targetAt, written } from "./targets";

const ends = [0.5, 0.999]; // of the axis
const ticks = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999].map(place);

/** kept is where the share that was kept so far has its mark; null: nothing was measured. */
function kept(a: PromiseAnswer): number | null {
  return a.kept_ratio === null ? null : place(Math.max(ends[0] ?? 0, Math.min(ends[1] ?? 1, a.kept_ratio)));
}

/** linesOf are the lines over the given places; what is measured now is at the target of the rules. */
function linesOf(a: PromiseAnswer, x: number[]): Line[] {
  const of = (f: (p: PromisePoint) => number | null) => {
    const known = a.points.map((p): [number, number | null] => [place(p.target), f(p)]);
    return x.map((v) => between(known, v));
  };
  const today = (v: number | null) => x.map((at) => (at === place(a.target) ? v : null));
  return [
    { label: "high", values: of((p) => p.carried_all_high), colour: "--band", width: 1 },
    { label: "low", values: of((p) => p.carried_all_low ?? 0), colour: "--band", width: 1 },
    { label: "all", values: of((p) => p.carried_all), colour: "--c1", width: 2.5 },
    { label: "service", values: of((p) => p.carried), colour: "--c3", width: 1.5, dash: [6, 4] },
    { label: "all now", values: today(a.carried_all), colour: "--ink", points: true },
    { label: "service now", values: today(a.carried), colour: "--ink", points: true },
  ];
}

export function Frontier({ a, service }: { a: PromiseAnswer; service: string }) {
  const [at, point] = useState<number | null>(null);
  const x = useMemo(() => [...new Set([...a.points.map((p) => place(p.target)), place(a.target)])].sort((p, q) => p - q), [a]);
  const lines = useMemo(() => linesOf(a, x), [a, x]);
  const marks = useMemo(() => {
    const out = [{ at: place(a.target), colour: "--ink", label: "target" }];
    const k = kept(a);
    if (k !== null) out.unshift({ at: k, colour: "--c2", label: "kept" });
    return out.sort((p, q) => p.at - q.at);
  }, [a]);
  const here = nearest(a.points, at === null ? a.target : targetAt(x[at] ?? 0));
  const spoken = a.points.map((p) => `${written(p.target)}: ${p.carried_all === null ? "nothing keeps it" : rate(p.carried_all)}`).join("; ");
  return (
    <figure>
      <figcaption>Carried load by target</figcaption>
      <Legend
        items={[
          { colour: "--c1", label: `all services at ${here ? written(here.target) : unknown}`, value: rate(here?.carried_all) },
          { colour: "--band", label: "90 % interval", value: here ? between90(here) : unknown, look: "band" },
          { colour: "--c3", label: service + " alone", value: rate(here?.carried), look: "dash" },
          { colour: "--ink", label: "measured now: all, and " + service, value: `${rate(a.carried_all)}, ${rate(a.carried)}`, look: "dot" },
          { colour: "--c2", label: "share of intervals kept so far", value: percent(a.kept_ratio, 3) },
        ]}
      />
      <Chart
        label={`Carried load of all services by target of ${service}: ${spoken}.`}
        x={x}
        lines={lines}
        band={[0, 1]}
        marks={marks}
        height={320}
        from={0}
        to={1.1 * a.offered_all}
        xSplits={ticks}
        xLabel={(v) => written(targetAt(v))}
        yLabel={(v) => digits(v) + "/s"}
        at={point}
      />
    </figure>
  );
}
