// What was decided, newest first, and of each the words that `windvane explain` prints.

import { useEffect, useState } from "preact/hooks";

import { get, getText, path, type Decision, type Explanation, type Setting } from "./api";
import { changes, clock, knob, setting, stamp } from "./format";
import { useLive } from "./live";
import { Flag, Note, messageOf, useAsked, type Tone } from "./parts";
import { to } from "./route";
import { Pending } from "./acting";

interface Page {
  decisions: Decision[];
  next?: number;
}

export function Decisions({ id, mesh }: { id: number | null; mesh: string }) {
  const live = useLive();
  const cycles = live.meshes.map((h) => `${h.mesh.name} ${h.mesh.cycle}`).join(", ");
  const query = (before?: number) => `decisions?limit=100${mesh ? "&mesh=" + encodeURIComponent(mesh) : ""}${before ? "&before=" + before : ""}`;
  const newest = useAsked(() => get<Page>(query()), mesh, cycles);
  const [older, setOlder] = useState<{ mesh: string; found: Decision[]; next?: number; error: string } | null>(null);
  const [only, setOnly] = useState(true);
  useEffect(() => setOlder(null), [mesh]);
  const head = newest.value?.decisions ?? [];
  const last = older ?? { mesh, found: [], next: newest.value?.next, error: "" };
  const seen = new Set(head.map((d) => d.id));
  const list = [...head, ...last.found.filter((d) => !seen.has(d.id))];
  const shown = only ? list.filter((d, i) => changed(d, list[i + 1])) : list;
  const more = () => {
    if (!last.next) return;
    get<Page>(query(last.next)).then(
      (p) => setOlder({ mesh, found: [...last.found, ...(older ? [] : head), ...p.decisions], next: p.next, error: "" }),
      (e: unknown) => setOlder({ ...last, error: messageOf(e) }),
    );
  };
  const plans = live.meshes.map((h) => h.mesh.pending_plan).filter((p) => p !== undefined);
  return (
    <>
      <h1>Decisions</h1>
      {plans.map((p) => (
        <Pending key={p.id} plan={p} />
      ))}
      <div class="filter">
        {live.meshes.length > 1 && (
          <label>
            Mesh{" "}
            <select value={mesh} onChange={(e) => (location.hash = to("decisions", [], e.currentTarget.value ? { mesh: e.currentTarget.value } : {}))}>
              <option value="">all</option>
              {live.meshes.map((h) => (
                <option key={h.mesh.name}>{h.mesh.name}</option>
              ))}
            </select>
          </label>
        )}
        <label class="check">
          <input type="checkbox" checked={only} onChange={(e) => setOnly(e.currentTarget.checked)} /> only what is another one than the cycle before
        </label>
      </div>
      {newest.error && (
        <Note tone="bad" title="The decisions cannot be read.">
          {newest.error}
        </Note>
      )}
      <div class={"split" + (id ? " chosen" : "")}>
        <div class="list">
          <ol class="timeline" aria-label="Decisions, newest first">
            {shown.map((d) => (
              <li key={d.id} class={d.id === id ? "here" : ""}>
                <a href={to("decisions", [d.id], mesh ? { mesh } : {})} aria-current={d.id === id ? "true" : undefined}>
                  <span class="when">{clock(d.at)}</span>
                  <span class="what">
                    {live.meshes.length > 1 && !mesh && <strong>{d.mesh} </strong>}
                    {summary(d)}
                    <span class="came">{came(d)}</span>
                  </span>
                </a>
              </li>
            ))}
          </ol>
          {newest.value && shown.length === 0 && <p class="quiet">{list.length ? "None of these was another one." : "There is no decision yet."}</p>}
          {last.error && <p role="alert">{last.error}</p>}
          {last.next && (
            <button type="button" onClick={more}>
              Older ones
            </button>
          )}
        </div>
        <div class="detail" aria-live="polite">
          {id ? <Detail id={id} again={cycles} /> : <p class="quiet">Choose a decision, and it is explained here.</p>}
        </div>
      </div>
    </>
  );
}

/** summary is the daemon's, with the settings in the words of these pages. */
function summary(d: Decision): string {
  const all = d.changes ?? [];
  if (d.hold || all.length === 0) return d.summary;
  const words = changes(all);
  if (d.pending) return `waits for approval as ${d.pending}: ${words}`;
  if (d.approved_by) return `approved by ${d.approved_by}: ${words}`;
  return (d.applied ? "" : "would set ") + words;
}

/** changed says that a decision is not the same as the one before it: it changed settings, or held
 * or stopped holding. */
function changed(d: Decision, before: Decision | undefined): boolean {
  return (d.changes?.length ?? 0) > 0 || !before || (d.hold ?? "") !== (before.hold ?? "") || d.authority !== before.authority || d.policy !== before.policy;
}

function came(d: Decision) {
  const marks: [Tone, string][] = [];
  if (d.fallback_reason) marks.push(["warn", "by the fallback"]);
  if (d.result === "failed" || d.result === "drifted") marks.push(["bad", d.result]);
  if (d.broken > 0) marks.push(["bad", `${d.broken} of ${d.measured} above the bound after it`]);
  else if (d.measured > 0) marks.push(["calm", "bounds kept after it"]);
  else marks.push(["calm", d.result ? "nothing measured after it" : "what came of it is not known yet"]);
  return marks.map(([tone, word]) => (
    <Flag key={word} tone={tone}>
      {word}{" "}
    </Flag>
  ));
}

function Detail({ id, again }: { id: number; again: string }) {
  const [settled, settle] = useState(false); // its outcome is there: it does not change any more
  useEffect(() => settle(false), [id]);
  const key = settled ? "settled" : again;
  const e = useAsked(() => get<Explanation>(path("decisions", id)), String(id), key);
  const text = useAsked(() => getText(path("decisions", id, "text")), String(id), key);
  useEffect(() => {
    if (e.value?.outcome) settle(true);
  }, [e.value]);
  if (e.error || text.error) {
    return (
      <Note tone="bad" title={`Decision ${id} cannot be read.`}>
        {e.error || text.error}
      </Note>
    );
  }
  if (!e.value || text.value === null) return <p class="quiet">It is read…</p>;
  const x = e.value;
  return (
    <>
      <h2>
        Cycle {x.intent.cycle} of {x.mesh}
      </h2>
      <p class="quiet">
        {stamp(x.at)} · decision {id}
      </p>
      <Diff x={x} />
      <h3>Explained</h3>
      <pre tabIndex={0} aria-label="What windvane explain prints">
        {text.value}
      </pre>
      <p class="quiet">
        <code>
          windvane explain {x.intent.cycle} --mesh {x.mesh}
        </code>{" "}
        prints the same.
      </p>
    </>
  );
}

const same = 0.005;

/** Diff holds the settings in force against what was planned. */
function Diff({ x }: { x: Explanation }) {
  const [whole, setWhole] = useState(false);
  const live = x.intent.live ?? [];
  const planned = new Map((x.intent.guarded ?? live).map((s) => [knob(s), s.value]));
  const wanted = new Map((x.intent.decision?.action ?? []).map((s) => [knob(s), s.value]));
  const edited = new Map((x.intent.edits ?? []).map((e) => [knob(e.knob), e.reason]));
  const differs = (s: Setting) => Math.abs((planned.get(knob(s)) ?? s.value) - s.value) > same || edited.has(knob(s));
  const rows = whole ? live.slice(0, 500) : live.filter(differs).slice(0, 100);
  if (live.length === 0) return <p>The settings in force were not read.</p>;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Settings, in force and planned">
        <table>
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col" class="n">
                In force
              </th>
              <th scope="col" class="n">
                Planned
              </th>
              <th scope="col">The guard</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((s) => {
              const to = planned.get(knob(s)) ?? s.value;
              const moved = Math.abs(to - s.value) > same;
              const reason = edited.get(knob(s));
              const want = wanted.get(knob(s));
              return (
                <tr key={knob(s)}>
                  <th scope="row">{knob(s)}</th>
                  <td class="n">{moved ? <del>{setting(s, s.value)}</del> : setting(s, s.value)}</td>
                  <td class="n">
                    {moved ? (
                      <ins>
                        {to > s.value ? "↑ " : "↓ "}
                        {setting(s, to)}
                      </ins>
                    ) : (
                      <span class="quiet">the same</span>
                    )}
                  </td>
                  <td>{reason ? `${reason}${want !== undefined ? `; wanted ${setting(s, want)}` : ""}` : ""}</td>
                </tr>
              );
            })}
            {rows.length === 0 && (
              <tr>
                <td colSpan={4} class="quiet">
                  Nothing was to be changed.
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
      <p>
        <label class="check">
          <input type="checkbox" checked={whole} onChange={(e) => setWhole(e.currentTarget.checked)} /> all {live.length} settings
        </label>
        {!x.intent.act && rows.length > 0 && !whole && <span class="quiet"> · not applied (authority {x.intent.authority}{x.intent.hold ? ", held" : ""})</span>}
      </p>
    </>
  );
}
