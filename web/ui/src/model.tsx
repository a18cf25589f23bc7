// What a policy's model is, where it has data, and how its predictions compare with what was
// measured.

import { useMemo, useState } from "preact/hooks";

import { get, path, type Card, type History, type Mesh, type ModelGap, type Policy, type PolicyDetail, type Span } from "./api";
import { Chart, Legend } from "./chart";
import { digits, knob, percent, plural, rate, seconds, setting, signed, stamp, unknown } from "./format";
import { useLive } from "./live";
import { Flag, Note, useAsked } from "./parts";
import { to } from "./route";

export function ModelPage({ mesh, policy }: { mesh: string; policy: string }) {
  const live = useLive();
  const asked = useAsked(() => get<Policy[]>("policies"), "policies", live.meshes.length);
  const trained = (asked.value ?? []).filter((p) => p.trained);
  const found = trained.find((p) => p.mesh === mesh && p.name === policy) ?? trained.find((p) => p.role === "active") ?? trained[0];
  return (
    <>
      <h1>Model</h1>
      {asked.error && <p role="alert">{asked.error}</p>}
      {asked.value && !found && <p>No policy of this configuration decides with a model. `windvane train` makes one; thresholds need none.</p>}
      {trained.length > 1 && found && (
        <div class="filter">
          <label>
            Policy{" "}
            <select value={found.mesh + "/" + found.name} onChange={(e) => (location.hash = to("model", e.currentTarget.value.split("/")))}>
              {trained.map((p) => (
                <option key={p.mesh + "/" + p.name} value={p.mesh + "/" + p.name}>
                  {p.mesh} / {p.name} ({p.role})
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      {found && <OfPolicy key={found.mesh + "/" + found.name} p={found} />}
    </>
  );
}

function OfPolicy({ p }: { p: Policy }) {
  const live = useLive();
  const mesh = live.meshes.find((h) => h.mesh.name === p.mesh)?.mesh;
  const asked = useAsked(() => get<PolicyDetail>(path("meshes", p.mesh, "policies", p.name)), p.mesh + "/" + p.name, Math.floor((mesh?.cycle ?? 0) / 5));
  const d = asked.value;
  if (asked.error) return <p role="alert">{asked.error}</p>;
  if (!d?.card || !mesh) return <p class="quiet">…</p>;
  const c = d.card;
  return (
    <>
      <dl class="facts">
        <Fact name="Policy">
          {p.name} of mesh {p.mesh}, {p.role}
        </Fact>
        <Fact name="Artefact">
          <code>{d.trained?.id}</code>
        </Fact>
        <Fact name="Trained on">
          {plural(c.data.rows, "interval")}, {plural(c.data.configurations, "configuration")}
        </Fact>
        <Fact name="Seed">{c.seed}</Fact>
        {d.trained?.written && <Fact name="Written">{stamp(d.trained.written)}</Fact>}
        {c.best_static?.map((s) => (
          <Fact key={s.objective} name={`Best single setting (${s.objective})`}>
            carries {percent(s.carried_ratio)} of what is offered{s.feasible ? "" : ", and keeps not every budget"}
          </Fact>
        ))}
      </dl>
      <Support c={c} mesh={mesh} />
      {d.gap && d.gap.length > 0 && <Gap gap={d.gap} />}
      <Against c={c} mesh={mesh} />
      <Knobs c={c} />
    </>
  );
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Range is where a value lies between the ends of what the data have. */
function Range({ span, at }: { span: Span; at: number | null }) {
  const low = Math.min(span.min, at ?? span.min);
  const high = Math.max(span.max, at ?? span.max);
  const x = (v: number) => 4 + (92 * (v - low)) / Math.max(high - low, 1e-9);
  const outside = at !== null && (at < span.min || at > span.max);
  return (
    <svg class="range" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" x="0" y="4" width="100" height="4" />
      <rect class="band" x={x(span.min)} y="2" width={Math.max(1, x(span.max) - x(span.min))} height="8" />
      {at !== null && <line class={outside ? "value over" : "value"} x1={x(at)} x2={x(at)} y1="0" y2="12" vector-effect="non-scaling-stroke" />}
    </svg>
  );
}

function Support({ c, mesh }: { c: Card; mesh: Mesh }) {
  return (
    <section>
      <h2>Where it has data, and how well it fits</h2>
      <p class="quiet">R² on settings and on loads that it had not seen. Outside of the loads in its data, nothing is promised.</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Support by service">
        <table>
          <thead>
            <tr>
              <th scope="col">Service</th>
              <th scope="col" class="n">
                R² settings
              </th>
              <th scope="col" class="n">
                R² loads
              </th>
              <th scope="col" class="n">
                90 % within
              </th>
              <th scope="col" class="n">
                First margin
              </th>
              <th scope="col">Load in the data</th>
              <th scope="col">Now</th>
            </tr>
          </thead>
          <tbody>
            {c.services.map((s) => {
              const at = mesh.services?.find((x) => x.name === s.service)?.offered ?? null;
              const outside = at !== null && (at < s.offered.min || at > s.offered.max);
              return (
                <tr key={s.service}>
                  <th scope="row">
                    <a href={to("service", [mesh.name, s.service])}>{s.service}</a>
                  </th>
                  <td class="n">{s.r2.toFixed(2)}</td>
                  <td class="n">{s.r2_loads === null ? <span class="quiet">{unknown}</span> : s.r2_loads.toFixed(2)}</td>
                  <td class="n">±{percent(s.spread)}</td>
                  <td class="n">{signed(s.margin)}</td>
                  <td>
                    <span class="between">
                      {digits(s.offered.min)} <Range span={s.offered} at={at} /> {rate(s.offered.max)}
                    </span>
                  </td>
                  <td>{outside ? <Flag tone="warn">{rate(at)}, outside</Flag> : rate(at)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Gap({ gap }: { gap: ModelGap[] }) {
  const share = (v: number | null) => (v === null ? unknown : signed(v));
  return (
    <section>
      <h2>Predicted against measured, since it is active</h2>
      <p class="quiet">By region of the settings: open or shed by its blocking, even or skewed by its routing. Relative to what the model said when it was trained.</p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Gap by region">
        <table>
          <thead>
            <tr>
              <th scope="col">Service</th>
              <th scope="col">Region</th>
              <th scope="col" class="n">
                Intervals
              </th>
              <th scope="col" class="n">
                Median
              </th>
              <th scope="col" class="n">
                95 % below
              </th>
              <th scope="col" class="n">
                Carried
              </th>
              <th scope="col" class="n">
                Broken, beyond what was expected
              </th>
            </tr>
          </thead>
          <tbody>
            {gap.map((g) => (
              <tr key={g.service + g.signal + g.region}>
                <th scope="row">
                  {g.service} <span class="quiet">{g.signal}</span>
                </th>
                <td>{g.region.replaceAll("_", ", ")}</td>
                <td class="n">{g.intervals}</td>
                <td class="n">{share(g.median)}</td>
                <td class="n">{share(g.upper)}</td>
                <td class="n">{share(g.carried)}</td>
                <td class="n">{share(g.violated)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Against plots each interval's prediction against what was measured. */
function Against({ c, mesh }: { c: Card; mesh: Mesh }) {
  const [service, choose] = useState(c.services[0]?.service ?? "");
  const asked = useAsked(() => get<History>(path("meshes", mesh.name, "services", service, "history") + "?last=1h"), service, Math.floor(mesh.cycle / 12));
  const signal = c.services.find((s) => s.service === service)?.signal;
  const o = asked.value?.objectives.find((x) => x.signal === signal);
  const pairs = useMemo(() => {
    const out: [number, number][] = [];
    o?.expected.forEach((e, i) => {
      const v = o.value[i];
      if (e !== null && v !== null && v !== undefined) out.push([e, v]);
    });
    return out.sort((a, b) => a[0] - b[0]);
  }, [o]);
  const most = Math.max(...pairs.flat(), o?.bound ?? 0);
  const lines = useMemo(
    () => [
      { label: "as predicted", values: pairs.map(([e]) => e), colour: "--c1", width: 1.5 },
      { label: "bound", values: pairs.map(() => o?.bound ?? null), colour: "--muted", dash: [5, 4] },
      { label: "measured", values: pairs.map(([, v]) => v), colour: "--ink", points: true },
    ],
    [pairs, o],
  );
  const x = useMemo(() => pairs.map(([e]) => e), [pairs]);
  const errors = pairs.map(([e, v]) => Math.abs(v / e - 1)).sort((a, b) => a - b);
  return (
    <section>
      <h2>Each interval of the last hour</h2>
      <div class="filter">
        <label>
          Service{" "}
          <select value={service} onChange={(e) => choose(e.currentTarget.value)}>
            {c.services.map((s) => (
              <option key={s.service}>{s.service}</option>
            ))}
          </select>
        </label>
      </div>
      {asked.error && (
        <Note tone="bad" title="Its history cannot be read.">
          {asked.error}
        </Note>
      )}
      {!asked.value && !asked.error && <p class="quiet">The journal is read…</p>}
      {asked.value && pairs.length === 0 && <p class="quiet">Nothing that was predicted was measured in this time.</p>}
      {pairs.length > 0 && (
        <figure class="square">
          <figcaption>
            Measured over predicted{" "}
            <span class="quiet">
              · {plural(pairs.length, "interval")}; half of the predictions are within {percent(errors[Math.floor(errors.length / 2)])}
            </span>
          </figcaption>
          <Legend
            items={[
              { colour: "--ink", label: "measured", value: "", look: "dot" },
              { colour: "--c1", label: "as predicted", value: "" },
              { colour: "--muted", label: "bound", value: seconds(o?.bound), look: "dash" },
            ]}
          />
          <Chart
            label={`Measured ${signal} over predicted, ${pairs.length} intervals of the last hour.`}
            x={x}
            lines={lines}
            height={320}
            from={0}
            to={most}
            xLabel={(v) => seconds(v)}
            yLabel={(v) => seconds(v)}
          />
        </figure>
      )}
    </section>
  );
}

function Knobs({ c }: { c: Card }) {
  return (
    <section>
      <h2>Settings in its data</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Settings in the data">
        <table>
          <thead>
            <tr>
              <th scope="col">Setting</th>
              <th scope="col" class="n">
                Allowed
              </th>
              <th scope="col" class="n">
                Seen
              </th>
              <th scope="col" class="n">
                Levels
              </th>
            </tr>
          </thead>
          <tbody>
            {c.knobs.slice(0, 200).map((k, i) => {
              const s = c.settings[i];
              return (
                <tr key={knob(k)}>
                  <th scope="row">{knob(k)}</th>
                  <td class="n">
                    {setting(k, k.min)} to {setting(k, k.max)}
                  </td>
                  <td class="n">{s ? `${setting(k, s.min)} to ${setting(k, s.max)}` : unknown}</td>
                  <td class="n">{k.levels}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
