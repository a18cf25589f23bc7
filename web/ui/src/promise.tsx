// The price of a promise: how much a service can carry at its present load, for each share of
// intervals in which its bound is to be kept. It is for the person who chooses the target.

import { useState } from "preact/hooks";

import { get, path, type PromiseAnswer } from "./api";
import { clock, percent, rate, seconds, unknown } from "./format";
import { Frontier } from "./frontier";
import { between90, dearer, nearest, priceOf, written } from "./targets";
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
  const asked = useAsked(() => get<PromiseAnswer>(path("meshes", mesh, "services", service, "promise")), mesh + "/" + service, again);
  if (asked.error) {
    return (
      <Note tone="warn" title="It cannot be said now.">
        {asked.error}
      </Note>
    );
  }
  if (!asked.value) return <p class="quiet">It is read…</p>;
  return <Answer a={asked.value} service={service} again={() => ask(again + 1)} />;
}

function Answer({ a, service, again }: { a: PromiseAnswer; service: string; again: () => void }) {
  return (
    <>
      <p class="sentence">
        To keep {service} within {seconds(a.bound)} in {written(a.target)} of the intervals, all services together are expected to carry {priceOf(nearest(a.points, a.target))} of
        the {rate(a.offered_all)} that are offered now. {dearer(a)}
      </p>
      {!a.supported && (
        <Note tone="warn" title="The present load is outside the model's data.">
          It is answered for the nearest load there is, and nothing of this is promised.
        </Note>
      )}
      <Frontier a={a} service={service} />
      <Numbers a={a} service={service} />
      <p class="quiet">
        At the load of {clock(a.at)} UTC, by the model of policy {a.policy} (<code>{a.artefact}</code>), with what was learned of it since. Each point is the action worth most
        that keeps the target and the other services' budgets; the interval is of the chance of a violation, by {a.configurations} configurations held out.
        {a.expected &&
          ` The settings in force are expected to carry ${rate(a.expected.carried)} of ${service} and to break its bound in ${percent(a.expected.broken_ratio)} of the intervals.`}{" "}
        <button type="button" class="link" onClick={again}>
          Ask again
        </button>
      </p>
    </>
  );
}

function Numbers({ a, service }: { a: PromiseAnswer; service: string }) {
  const scaled = a.points.some((p) => p.replicas !== null);
  const ours = nearest(a.points, a.target)?.target;
  const heads = ["Target", "All services carry", "90 % interval", service, ...(scaled ? ["Replicas"] : []), "Broken, expected"];
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="The frontier in numbers">
      <table>
        <thead>
          <tr>
            {heads.map((h) => (
              <th scope="col" class="n" key={h}>
                {h}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {a.points.map((p) => (
            <tr key={p.target} class={p.target === ours ? "here" : ""}>
              <th scope="row" class="n">
                {p.target === ours && <span class="quiet">the rules </span>}
                {written(p.target)}
              </th>
              <td class="n">{p.carried_all === null ? "nothing keeps it" : rate(p.carried_all)}</td>
              <td class="n">{between90(p)}</td>
              <td class="n">{p.carried === null ? "" : rate(p.carried)}</td>
              {scaled && <td class="n">{p.replicas ?? unknown}</td>}
              <td class="n">{percent(p.broken_ratio)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
