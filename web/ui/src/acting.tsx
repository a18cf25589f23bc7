// What a person can have done: stop, let go on, approve and refuse. All of it asks the same
// API as the commands do, which says whether the person may.

import { useState } from "preact/hooks";

import { act, path, type Mesh, type Plan } from "./api";
import { clock, knob, setting } from "./format";
import { refresh, useLive } from "./live";
import { Ask, Note, messageOf } from "./parts";

/** useAct runs one request at a time, and keeps what became of it. */
function useAct(): { busy: boolean; said: string; run: (what: () => Promise<unknown>) => void; clear: () => void } {
  const [busy, work] = useState(false);
  const [said, say] = useState("");
  const run = (what: () => Promise<unknown>) => {
    work(true);
    say("");
    what()
      .then(() => refresh())
      .catch((e: unknown) => say(messageOf(e)))
      .finally(() => work(false));
  };
  return { busy, said, run, clear: () => say("") };
}

/** Stop has windvane only observe from now on: one press, and nothing is asked, for it is safe.
 * To let it go on is asked. Who may not act is told what to type. */
export function Stop({ mesh }: { mesh: Mesh }) {
  const caller = useLive().caller;
  const { busy, said, run, clear } = useAct();
  const [open, ask] = useState("");
  const ceiling = mesh.authority_sources?.find((s) => s.source === "file")?.level ?? "observe";
  const stopped = mesh.authority === "observe";
  if (stopped && ceiling === "observe") return null; // there is nothing to stop
  const level = stopped ? ceiling : "observe";
  const word = stopped ? `Let it ${ceiling === "act" ? "act" : "ask"} again` : "Stop";
  const set = () => run(() => act("PUT", path("meshes", mesh.name, "authority"), { authority: level }));
  const press = () => {
    if (!caller?.may_act) ask("how");
    else if (stopped) ask("sure");
    else set();
  };
  return (
    <div class="stop">
      <button type="button" class={stopped ? "" : "danger"} disabled={busy} onClick={press} aria-label={`${word}: mesh ${mesh.name}`}>
        {busy ? "…" : word}
      </button>
      {said && (
        <div role="alert" class="said">
          {said}{" "}
          <button type="button" class="link" onClick={clear}>
            dismiss
          </button>
        </div>
      )}
      {open === "how" && (
        <Ask title={`${word}: mesh ${mesh.name}`} close={() => ask("")}>
          <p>This page may look and not act: {caller?.why ?? "it is not known yet who you are"}.</p>
          <p>On windvane's machine, this does it at once:</p>
          <pre>
            windvane mode {mesh.name} {level}
          </pre>
          <form method="dialog">
            <button type="submit">Close</button>
          </form>
        </Ask>
      )}
      {open === "sure" && (
        <Ask title={`Let windvane ${ceiling === "act" ? "act" : "ask"} again on mesh ${mesh.name}?`} close={() => ask("")}>
          <p>
            Its authority becomes {ceiling}, the most that the rules file allows, in the name of {caller?.by}. This also lifts a demotion. Other sources may
            still allow less.
          </p>
          <form method="dialog" class="buttons">
            <button type="submit">No</button>
            <button type="submit" class="danger" onClick={set}>
              Yes, {ceiling}
            </button>
          </form>
        </Ask>
      )}
    </div>
  );
}

/** Pending is a plan that waits for a person. */
export function Pending({ plan }: { plan: Plan }) {
  const caller = useLive().caller;
  const { busy, said, run } = useAct();
  const decide = (word: string) => run(() => act("POST", path("plans", plan.id, word), {}));
  return (
    <Note tone="warn" title={plan.approved_by ? `Plan ${plan.id} is approved by ${plan.approved_by}.` : `Plan ${plan.id} waits for a person until ${clock(plan.expires)} UTC.`}>
      {plan.approved_by ? "The next cycle that admits it applies it." : plan.reason}
      <ul class="changes">
        {plan.changes.slice(0, 8).map((c) => (
          <li key={knob(c)}>
            {knob(c)}: {setting(c, c.from)} → <strong>{setting(c, c.to)}</strong>
          </li>
        ))}
        {plan.changes.length > 8 && <li>and {plan.changes.length - 8} more</li>}
      </ul>
      {!plan.approved_by &&
        (caller?.may_act ? (
          <p class="buttons">
            <button type="button" disabled={busy} onClick={() => decide("approve")}>
              Approve plan {plan.id}
            </button>
            <button type="button" disabled={busy} onClick={() => decide("refuse")}>
              Refuse it
            </button>
          </p>
        ) : (
          <p class="quiet">
            This page may not approve it; <code>windvane approve {plan.id}</code> does.
          </p>
        ))}
      {said && <p role="alert">{said}</p>}
    </Note>
  );
}
