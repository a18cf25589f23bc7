// Targets, and what each of them costs.

import type { PromiseAnswer, PromisePoint } from "./api";
import { rate, unknown } from "./format";

/** place puts a target on an axis on which each step to the right is a tenth of the budget. */
export const place = (target: number): number => -Math.log10(1 - target);
export const targetAt = (x: number): number => 1 - 10 ** -x;

export const written = (target: number): string => String(+(100 * target).toFixed(2)) + "\u00a0%";

const bound = (v: number | null): string => (v === null ? "none" : rate(v));

/** between90 is the interval of what is carried, 90 %. */
export const between90 = (p: PromisePoint): string => `${bound(p.carried_all_low)} to ${bound(p.carried_all_high)}`;

/** nearest is the point of the frontier whose target is next to one. */
export const nearest = (points: PromisePoint[], target: number): PromisePoint | undefined =>
  [...points].sort((p, q) => Math.abs(place(p.target) - place(target)) - Math.abs(place(q.target) - place(target)))[0];

export const priceOf = (p: PromisePoint | undefined): string =>
  !p ? unknown : p.carried_all === null ? "nothing" : `${rate(p.carried_all)} (${between90(p)})`;

/** dearer says what the next stricter target that costs something would cost. */
export function dearer(a: PromiseAnswer): string {
  const i = a.points.findIndex((p) => p === nearest(a.points, a.target));
  const now = a.points[i]?.carried_all;
  for (const p of a.points.slice(i + 1)) {
    if (now === null || now === undefined) return "No setting is expected to keep this target.";
    if (p.carried_all === null) return `No setting is expected to keep ${written(p.target)}.`;
    if (p.carried_all < now - 1e-9) return `${written(p.target)} would cost ${rate(now - p.carried_all)} of it.`;
  }
  return "A stricter target would cost nothing at this load.";
}

/** between interpolates a frontier, as pairs of place and value, that has no point just there. */
export function between(known: [number, number | null][], x: number): number | null {
  const i = known.findIndex(([v]) => v >= x);
  const [a, b] = [known[i - 1], known[i]];
  if (!b) return null;
  if (!a || a[1] === null || b[1] === null) return b[1];
  return a[1] + ((b[1] - a[1]) * (x - a[0])) / (b[0] - a[0]);
}
