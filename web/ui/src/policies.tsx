// The policies of each mesh: who decides, who is only asked, and what is missing before one of
// these may decide.

import { useState } from "preact/hooks";

import { act, get, path, type GateItem, type Policy, type PolicyDetail, type ShadowAnswer } from "./api";
import { knob, percent, plural, setting, stamp } from "./format";
import { refresh, useLive, type Held } from "./live";
import { Ask, Flag, Note, messageOf, useAsked, type Tone } from "./parts";
import { to } from "./route";

export function Policies() {
  const live = useLive();
  return (
    <>
      <h1>Policies</h1>
      {live.meshes.map((h) => (
        <OfMesh key={h.mesh.name} held={h} />
      ))}
    </>
  );
}

const roles: Record<string, string> = {
  active: "decides",
  fallback: "decides when the active one does not",
  shadow: "is asked, and nothing of it is done",
  canary: "decides on trial",
  candidate: "is asked, before promotion",
  retired: "is not asked any more",
};

function OfMesh({ held }: { held: Held }) {
  const m = held.mesh;
  const asked = useAsked(() => get<Policy[]>("policies?mesh=" + encodeURIComponent(m.name)), m.name, m.cycle);
  return (
    <section class="mesh" aria-labelledby={"policies-" + m.name}>
      <h2 id={"policies-" + m.name}>{m.name}</h2>
      {asked.error && (
        <Note tone="bad" title="Its policies cannot be read.">
          {asked.error}
        </Note>
      )}
      {asked.value?.map((p) => (
        <One key={p.name} p={p} cycle={m.cycle} answer={m.shadows?.find((s) => s.policy === p.name)} active={m.policy} />
      ))}
    </section>
  );
}

function stateOf(p: Policy): [Tone, string] {
  if (!p.plugin) return ["calm", "runs in the daemon"];
  if (p.plugin.quarantined) return ["bad", "in quarantine: " + (p.plugin.last_error ?? "")];
  if (!p.plugin.up) return ["bad", "down: " + (p.plugin.last_error ?? "")];
  return ["calm", `process up, ${plural(p.plugin.restarts, "restart")}`];
}

function One({ p, cycle, answer, active }: { p: Policy; cycle: number; answer?: ShadowAnswer; active: string }) {
  const [open, show] = useState(p.role !== "fallback" && p.declared !== undefined);
  const [tone, state] = stateOf(p);
  return (
    <article class="policy" aria-label={`policy ${p.name}`}>
      <header>
        <h3>
          {p.name} <span class="level">{p.role}</span>
        </h3>
        <p>
          {roles[p.role.split(" ")[0] ?? ""] ?? ""}
          <span class="quiet">
            {" "}
            · {p.kind}
            {p.since && ` · since ${stamp(p.since)}`}
            {p.by && ` by ${p.by}: ${p.reason ?? ""}`}
          </span>{" "}
          · {tone === "calm" ? <span class="quiet">{state}</span> : <Flag tone={tone}>{state}</Flag>}
        </p>
      </header>
      {p.agrees && (
        <p>
          Wanted the same as the active policy in <strong>{p.agrees.same}</strong> of {plural(p.agrees.cycles, "cycle")}
          {p.agrees.cycles > 0 && ` (${percent(p.agrees.same / p.agrees.cycles)})`}.
        </p>
      )}
      {answer && <Wants a={answer} active={active} />}
      {p.declared !== undefined && (
        <button type="button" class="link" aria-expanded={open} onClick={() => show(!open)}>
          {open ? "Less" : "More"} about {p.name}
        </button>
      )}
      {open && p.declared !== undefined && <Detail p={p} cycle={cycle} />}
    </article>
  );
}

/** Wants is what a shadow would have done in the last cycle. */
function Wants({ a, active }: { a: ShadowAnswer; active: string }) {
  if (a.error) return <p>In the last cycle it gave no answer: {a.error}</p>;
  if (a.abstain) return <p>In the last cycle it had no opinion.</p>;
  const changes = a.changes ?? [];
  return (
    <div>
      <p>
        In the last cycle, in the place of {active || "the active policy"}, it would have changed {changes.length === 0 ? "nothing" : ""}
        {changes.length > 0 && plural(changes.length + (a.cut_changes ?? 0), "setting")}
        {a.reason && <span class="quiet"> ({a.reason})</span>}.
      </p>
      <ul class="changes">
        {changes.slice(0, 6).map((c) => (
          <li key={knob(c)}>
            {knob(c)}: {setting(c, c.from)} → <strong>{setting(c, c.to)}</strong>
          </li>
        ))}
      </ul>
    </div>
  );
}

const states: Record<string, [Tone, string, string]> = {
  pass: ["calm", "✓", "shown"],
  fail: ["bad", "✕", "not met"],
  not_enough_data: ["warn", "…", "not enough data"],
  not_required: ["calm", "–", "not asked for"],
};

function Detail({ p, cycle }: { p: Policy; cycle: number }) {
  const asked = useAsked(() => get<PolicyDetail>(path("meshes", p.mesh, "policies", p.name)), p.mesh + "/" + p.name, Math.floor(cycle / 5));
  const d = asked.value;
  if (asked.error) return <p role="alert">{asked.error}</p>;
  if (!d) return <p class="quiet">It is read…</p>;
  const refusals = d.refusals ?? [];
  return (
    <div class="more">
      {d.gate && d.gate.length > 0 && <Gate items={d.gate} />}
      {p.role !== "active" && (
        <>
          <h4>Promotion</h4>
          {refusals.length === 0 ? (
            <p>Nothing speaks against promoting it now.</p>
          ) : (
            <ul class="refusals">
              {refusals.map((r) => (
                <li key={r.code + r.why}>
                  <Flag tone="warn">{r.code}</Flag> {r.why}
                </li>
              ))}
            </ul>
          )}
          <Promote p={p} refused={refusals.length > 0} />
        </>
      )}
      {d.trained && (
        <p>
          Decides with <code>{d.trained.id}</code>, trained on {plural(d.trained.rows, "interval")} with {plural(d.trained.configurations, "configuration")}.{" "}
          <a href={to("model", [p.mesh, p.name])}>Its model</a>
        </p>
      )}
      {d.settings !== undefined && d.settings !== null && Object.keys(d.settings).length > 0 && <pre>{JSON.stringify(d.settings, null, 2)}</pre>}
    </div>
  );
}

function Gate({ items }: { items: GateItem[] }) {
  const left = items.filter((i) => i.state === "fail" || i.state === "not_enough_data").length;
  return (
    <>
      <h4>What it has to show: {left === 0 ? "all of it is there" : `${left} of ${items.length} are missing`}</h4>
      <div class="scroll" tabIndex={0} role="region" aria-label="Gate, item by item">
        <table>
          <thead>
            <tr>
              <th scope="col">Item</th>
              <th scope="col">State</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {items.map((i) => {
              const [tone, mark, word] = states[i.state] ?? ["warn", "?", i.state];
              return (
                <tr key={i.item}>
                  <th scope="row">{i.item.replaceAll("_", " ")}</th>
                  <td class={"flag " + tone}>
                    <span aria-hidden="true">{mark} </span>
                    {word}
                  </td>
                  <td class="wrap">
                    {i.why}
                    {i.needs && <span class="quiet"> Needs: {i.needs}</span>}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Promote({ p, refused }: { p: Policy; refused: boolean }) {
  const caller = useLive().caller;
  const [open, ask] = useState(false);
  const [reason, say] = useState("");
  const [said, tell] = useState("");
  if (p.role === "fallback") return null;
  if (!caller?.may_act) {
    return (
      <p class="quiet">
        This page may not promote it;{" "}
        <code>
          windvane policy promote {p.name} --mesh {p.mesh} --reason …
        </code>{" "}
        does.
      </p>
    );
  }
  const promote = () =>
    act("POST", path("meshes", p.mesh, "policies", p.name, "promote"), { reason }).then(
      () => (ask(false), refresh()),
      (e: unknown) => tell(messageOf(e)),
    );
  return (
    <p class="buttons">
      <button type="button" disabled={refused} onClick={() => ask(true)}>
        Promote {p.name}
      </button>
      {open && (
        <Ask title={`Promote policy ${p.name} of mesh ${p.mesh}?`} close={() => ask(false)}>
          <p>From the next cycle on it decides, in the name of {caller.by}. The policy that is active now is retired.</p>
          <form
            onSubmit={(e) => {
              e.preventDefault();
              void promote();
            }}
          >
            <p>
              <label>
                Reason, which the journal keeps <input required maxLength={500} value={reason} onInput={(e) => say(e.currentTarget.value)} />
              </label>
            </p>
            {said && <p role="alert">{said}</p>}
            <div class="buttons">
              <button type="button" onClick={() => ask(false)}>
                No
              </button>
              <button type="submit" class="danger">
                Promote it
              </button>
            </div>
          </form>
        </Ask>
      )}
    </p>
  );
}
