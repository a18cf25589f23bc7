// A long table of which only the rows in sight are in the page, so that a thousand services
// cost as much as thirty. The page itself scrolls.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

const all = 60; // up to so many rows are always there
const spare = 8; // rows above and below what is in sight, for the keyboard

interface Props<T> {
  items: T[];
  height: number; // rem of a row
  label: string;
  head: ComponentChildren; // the row of column headers
  row: (item: T, index: number) => ComponentChildren; // the cells
  id: (item: T) => string;
  tone?: (item: T) => string;
}

const rem = (): number => parseFloat(getComputedStyle(document.documentElement).fontSize);

export function Rows<T>({ items, height: rems, label, head, row, id, tone }: Props<T>) {
  const body = useRef<HTMLDivElement>(null);
  const [[from, to], show] = useState<[number, number]>([0, 40]);
  const long = items.length > all;
  const height = Math.round(rems * rem());
  useLayoutEffect(() => {
    if (!long) return;
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / height) - spare);
      const last = Math.min(items.length, Math.ceil((innerHeight - top) / height) + spare);
      show((old) => (old[0] === first && old[1] === last ? old : [first, Math.max(first, last)]));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [long, items.length, height]);
  const shown = long ? items.slice(from, to) : items;
  const start = long ? from : 0;
  return (
    <div class="rows" role="table" aria-label={label} aria-rowcount={items.length + 1}>
      <div role="rowgroup">
        <div class="row head" role="row" aria-rowindex={1}>
          {head}
        </div>
      </div>
      <div role="rowgroup" ref={body} style={long ? { height: items.length * height + "px", position: "relative" } : undefined}>
        {shown.map((item, i) => (
          <div
            class={"row " + (tone?.(item) ?? "")}
            role="row"
            aria-rowindex={start + i + 2}
            key={id(item)}
            style={long ? { position: "absolute", top: (start + i) * height + "px", height: height + "px", left: "0", right: "0" } : undefined}
          >
            {row(item, start + i)}
          </div>
        ))}
      </div>
    </div>
  );
}

/** useMatch follows a media query. */
export function useMatch(query: string): boolean {
  const [is, set] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const m = matchMedia(query);
    const l = () => set(m.matches);
    m.addEventListener("change", l);
    return () => m.removeEventListener("change", l);
  }, [query]);
  return is;
}
