// Numbers for people: with their units, of a width that does not jump, and "unknown" for what
// is not known.

import type { Change, Knob } from "./api";

export const unknown = "unknown";

/** digits writes v with n significant digits, but no more than two decimals unless it is small. */
export function digits(v: number, n = 3): string {
  if (v === 0) return "0";
  const size = Math.abs(v);
  if (size >= 1e6) return (v / 1e6).toPrecision(n) + "\u00a0M";
  const whole = size < 1 ? 1 : Math.floor(Math.log10(size)) + 1;
  const decimals = Math.max(0, Math.min(size > 0 && size < 0.01 ? 4 : 2, n - whole));
  return v.toFixed(decimals).replace("-", "−");
}

export function seconds(v: number | null | undefined): string {
  if (v === null || v === undefined) return unknown;
  return v >= 10 ? digits(v) + "\u00a0s" : digits(1000 * v) + "\u00a0ms";
}

export function rate(v: number | null | undefined): string {
  return v === null || v === undefined ? unknown : digits(v) + "/s";
}

export function percent(v: number | null | undefined, n = 2): string {
  if (v === null || v === undefined) return unknown;
  const p = 100 * v;
  return digits(p, Math.abs(p) >= 100 ? 3 : n) + "\u00a0%";
}

export function signed(v: number): string {
  return (v > 0 ? "+" : "") + digits(100 * v, 2) + "\u00a0%";
}

/** ago says a duration in seconds in the largest units that matter. */
export function duration(s: number): string {
  if (s < 90) return `${Math.max(0, Math.round(s))}\u00a0s`;
  if (s < 90 * 60) return `${Math.round(s / 60)}\u00a0min`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)}\u00a0h`;
  return `${Math.round(s / 86400)}\u00a0d`;
}

/** clock is the time of day, as the daemon's log and journal have it. */
export const clock = (at: string): string => new Date(at).toISOString().slice(11, 19);

export const stamp = (at: string): string => new Date(at).toISOString().slice(0, 19).replace("T", " ") + " UTC";

export function knob(k: Knob): string {
  switch (k.kind) {
    case "blocking":
      return "blocking of " + k.target;
    case "weight":
      return `weight of ${k.part ?? ""} on ${k.target}`;
    case "replicas":
      return "replicas of " + k.target;
  }
  return [k.kind, k.target, k.part].filter(Boolean).join(":");
}

export const setting = (k: Knob, v: number): string => (k.kind === "replicas" ? digits(v) : percent(v));

export const plural = (n: number, one: string, many = one + "s"): string => `${n} ${n === 1 ? one : many}`;

/** changes names settings that were or are to be changed, the weights of a route together; many
 * are counted after the first of them. */
export function changes(all: Change[], most = 4): string {
  const words: string[] = [];
  for (let i = 0; i < all.length; ) {
    const c = all[i];
    if (!c) break;
    let n = 1;
    if (c.kind === "weight") while (all[i + n]?.kind === "weight" && all[i + n]?.target === c.target) n++;
    const move = (x: Change) => `${setting(x, x.from)}\u00a0→\u00a0${setting(x, x.to)}`;
    words.push(
      c.kind === "weight"
        ? `weights of ${c.target}: ${all
            .slice(i, i + n)
            .map((x) => `${x.part ?? ""}\u00a0${move(x)}`)
            .join(", ")}`
        : `${knob(c)} ${move(c)}`,
    );
    i += n;
  }
  const more = words.length - most;
  return words.slice(0, most).join("; ") + (more > 0 ? `; and ${more} more` : "");
}
