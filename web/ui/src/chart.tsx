// A chart over time or another quantity, by uPlot, in the colours of the page and no others.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

import { useMatch } from "./rows";

export interface Line {
  label: string;
  values: (number | null | undefined)[];
  colour: string; // name of a custom property, as in --c1
  width?: number;
  dash?: number[];
  points?: boolean; // single ones, without a line
  steps?: boolean;
}

export interface Tick {
  at: number;
  colour: string;
  label: string; // a letter: what it is is not told by its colour alone
}

interface Props {
  label: string; // what a screen reader says of it
  x: number[];
  time?: boolean; // x is in seconds since 1970
  lines: Line[];
  band?: [number, number]; // between the lines of these numbers
  marks?: Tick[];
  yLabel: (v: number) => string;
  xLabel?: (v: number) => string;
  xSplits?: number[];
  height?: number;
  from?: number; // of the y axis, at most
  to?: number; // likewise, at least
  log?: boolean; // of x
  sync?: string; // charts of the same name share their cursor
  at?: (index: number | null) => void; // is told where the cursor is
}

const colourOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart(p: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const dark = useMatch("(prefers-color-scheme: dark)");
  const [width, setWidth] = useState(0);
  const given = useRef(p);
  given.current = p;
  const shape = JSON.stringify([p.lines.map((l) => [l.label, l.colour, l.points]), p.band, p.height, p.from, p.to, p.log, p.time, p.xSplits, dark]);

  useLayoutEffect(() => {
    const b = box.current;
    if (!b) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(b.clientWidth)));
    observer.observe(b);
    setWidth(Math.floor(b.clientWidth));
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    if (!box.current || width < 50) return;
    plot.current = new uPlot(options(given, width), dataOf(given.current), box.current);
    return () => {
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, width > 0]);
  useEffect(() => {
    plot.current?.setSize({ width, height: p.height ?? 180 });
  }, [width]);
  useEffect(() => {
    plot.current?.setData(dataOf(p));
  }, [p.x, p.lines, p.marks]);

  return <div class="chart" ref={box} role="img" aria-label={p.label} />;
}

const dataOf = (p: Props): uPlot.AlignedData => [p.x, ...p.lines.map((l) => l.values)] as uPlot.AlignedData;

function options(given: { current: Props }, width: number): uPlot.Options {
  const p = given.current;
  const ink = colourOf("--muted");
  const axis = { stroke: ink, grid: { stroke: colourOf("--grid"), width: 1 }, ticks: { stroke: colourOf("--rule"), width: 1 }, font: "12px system-ui, sans-serif" };
  return {
    width,
    height: p.height ?? 180,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, sync: p.sync ? { key: p.sync } : undefined, points: { size: 6 } },
    scales: {
      x: { time: p.time ?? false, distr: p.log ? 3 : 1 },
      y: {
        range: (_, low, high) => {
          const g = given.current;
          const from = Math.min(g.from ?? low ?? 0, low ?? 0);
          const to = Math.max(g.to ?? high ?? 1, high ?? 1);
          return [from, to > from ? to + 0.05 * (to - from) : from + 1];
        },
      },
    },
    axes: [
      {
        ...axis,
        space: 70,
        values: p.time ? (_, s) => s.map((v) => new Date(1000 * v).toISOString().slice(11, v % 60 ? 19 : 16)) : (_, s) => s.map((v) => (p.xLabel ?? String)(v)),
        ...(p.xSplits ? { splits: () => p.xSplits ?? [], filter: (_: uPlot, s: number[]) => s } : {}),
      },
      { ...axis, size: 62, space: (p.height ?? 180) < 160 ? 22 : 34, values: (_, s) => s.map((v) => given.current.yLabel(v)) },
    ],
    series: [
      {},
      ...p.lines.map((l): uPlot.Series => ({
        label: l.label,
        stroke: colourOf(l.colour),
        width: l.points ? 0 : (l.width ?? 1.5),
        dash: l.dash,
        spanGaps: false,
        paths: l.points ? () => null : l.steps ? uPlot.paths.stepped?.({ align: 1 }) : undefined,
        points: { show: l.points ?? false, size: 5, stroke: colourOf(l.colour), fill: l.points ? colourOf(l.colour) : undefined },
      })),
    ],
    bands: p.band ? [{ series: [p.band[0] + 1, p.band[1] + 1], fill: colourOf("--band") + "80" }] : undefined,
    hooks: {
      draw: [(u) => marks(u, given.current.marks ?? [])],
      setCursor: [(u) => given.current.at?.(u.cursor.idx ?? null)],
    },
  };
}

/** marks draws what happened as lines from the top, each with its letter. */
function marks(u: uPlot, all: Tick[]): void {
  const c = u.ctx;
  const scale = devicePixelRatio;
  c.save();
  c.font = `600 ${11 * scale}px system-ui, sans-serif`;
  c.textAlign = "center";
  let last = -Infinity; // where the last letter is: there is no room for one on another
  for (const m of all) {
    const x = Math.round(u.valToPos(m.at, "x", true));
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    c.strokeStyle = c.fillStyle = colourOf(m.colour);
    c.lineWidth = scale;
    c.globalAlpha = 0.55;
    c.beginPath();
    c.moveTo(x, u.bbox.top + 12 * scale);
    c.lineTo(x, u.bbox.top + u.bbox.height);
    c.stroke();
    c.globalAlpha = 1;
    if (x - last < (6 + 5 * m.label.length) * scale) continue;
    last = x;
    c.fillText(m.label, x, u.bbox.top + 9 * scale);
  }
  c.restore();
}

/** Legend says what the lines of a chart are, with the values at the cursor or the newest. */
export function Legend({ items }: { items: { colour: string; label: string; value: string; look?: "line" | "dash" | "dot" | "band" | "mark" }[] }) {
  return (
    <ul class="legend">
      {items.map((i) => (
        <li key={i.label}>
          <svg viewBox="0 0 28 12" aria-hidden="true" class={"key " + i.colour.slice(2)}>
            {i.look === "band" ? (
              <rect x="0" y="1" width="28" height="10" class="band" />
            ) : i.look === "dot" ? (
              <circle cx="14" cy="6" r="3" />
            ) : i.look === "mark" ? (
              <line x1="14" x2="14" y1="0" y2="12" />
            ) : (
              <line x1="0" x2="28" y1="6" y2="6" stroke-dasharray={i.look === "dash" ? "5 4" : undefined} />
            )}
          </svg>
          {i.label} {i.value && <strong>{i.value}</strong>}
        </li>
      ))}
    </ul>
  );
}
