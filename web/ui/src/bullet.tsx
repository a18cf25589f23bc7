// A latency against its bound: a bar, the bound as a line, and the margin as a band, which is
// what policies keep free of it.

import type { Objective } from "./api";
import { percent, seconds, signed, unknown } from "./format";

const reach = 1.5; // the scale ends at so many bounds

/** limit is up to where a policy plans: the bound less the margin. */
export const limit = (o: Objective): number => (o.bound ?? 0) / (1 + o.margin);

export function Bullet({ o }: { o: Objective }) {
  const bound = o.bound ?? 0;
  const x = (v: number) => 100 * Math.min(1, Math.max(0, v / (reach * bound)));
  const at = limit(o);
  const [from, to] = at < bound ? [at, bound] : [bound, at];
  const beyond = o.value !== null && o.value > reach * bound;
  return (
    <svg class="bullet" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" x="0" y="0" width="100" height="12" />
      <rect class="band" x={x(from)} y="0" width={x(to) - x(from)} height="12" />
      {o.value !== null && <rect class={o.value > bound ? "value over" : "value"} x="0" y="4" width={x(o.value)} height="4" />}
      {beyond && <path class="value over" d="M97 2 L100 6 L97 10 Z" />}
      <line class="bound" x1={x(bound)} x2={x(bound)} y1="0" y2="12" vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** now is the objective's signal as it was measured last. */
export function now(o: Objective): string {
  if (o.value === null) return unknown;
  return o.bound ? seconds(o.value) : percent(o.value);
}

/** spoken says in words what the bar shows. */
export function spoken(o: Objective): string {
  if (!o.bound) return `${o.signal} ${now(o)}, budget ${percent(o.budget)}`;
  return `${o.signal} ${now(o)}, bound ${seconds(o.bound)}, margin ${signed(o.margin)}`;
}

/** broken says whether the last interval broke the objective; null: not known. */
export const broken = (o: Objective): boolean | null => (o.value === null || !o.bound ? null : o.value > o.bound);
