import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";

import "uplot/dist/uPlot.min.css";
import "./style.css";
import { duration } from "./format";
import { now, start, useClock, useLive } from "./live";
import { Decisions } from "./decisions";
import { ModelPage } from "./model";
import { Overview } from "./overview";
import { Note } from "./parts";
import { Policies } from "./policies";
import { PromisePage } from "./promise";
import { to, useRoute } from "./route";
import { ServicePage } from "./service";

const pages: { page: string; title: string; also?: string[] }[] = [
  { page: "overview", title: "Overview", also: ["service"] },
  { page: "decisions", title: "Decisions" },
  { page: "policies", title: "Policies" },
  { page: "model", title: "Model" },
  { page: "promise", title: "Promises" },
];

function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const here = pages.find((p) => p.page === route.page || p.also?.includes(route.page));
  const place = [route.page, ...(route.page === "decisions" ? [] : route.parts)].join("/"); // decisions are read side by side
  const first = useRef(true);
  useEffect(() => {
    document.title = `${here?.title ?? "Nothing here"} – windvane`;
    if (first.current) first.current = false;
    else {
      scrollTo(0, 0);
      main.current?.focus();
    }
  }, [place]);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to the content
      </a>
      <header class="top">
        <div class="inner">
        <a class="brand" href={to("overview")}>
          windvane
        </a>
        <nav aria-label="Pages">
          {pages.map((p) => (
            <a key={p.page} href={to(p.page)} aria-current={p === here ? "page" : undefined}>
              {p.title}
            </a>
          ))}
        </nav>
        <Connection />
        </div>
      </header>
      <Lost />
      <main ref={main} id="main" tabIndex={-1}>
        {route.page === "overview" && <Overview />}
        {route.page === "service" && <ServicePage key={place} mesh={route.parts[0] ?? ""} service={route.parts[1] ?? ""} />}
        {route.page === "decisions" && <Decisions id={Number(route.parts[0]) || null} mesh={route.query.get("mesh") ?? ""} />}
        {route.page === "policies" && <Policies />}
        {route.page === "model" && <ModelPage mesh={route.parts[0] ?? ""} policy={route.parts[1] ?? ""} />}
        {route.page === "promise" && <PromisePage mesh={route.parts[0] ?? ""} service={route.parts[1] ?? ""} />}
        {!here && <p>There is no such page. The pages are named above.</p>}
      </main>
    </>
  );
}

/** Connection says in the corner how fresh what one sees is. */
function Connection() {
  const live = useLive();
  useClock();
  const word = live.stream === "open" && !live.error ? "live" : live.stream === "connecting" ? "connecting" : "not live";
  return (
    <p class={"connection " + (word === "live" ? "" : "bad")} role="status">
      <span aria-hidden="true">{word === "live" ? "● " : "○ "}</span>
      {word}
      {live.status && live.status.version !== "unknown" && <span class="quiet version"> · {live.status.version}</span>}
    </p>
  );
}

/** Lost says it over the whole width when the connection is lost. */
function Lost() {
  const live = useLive();
  useClock();
  if (live.stream !== "lost" && !live.error) return null;
  const silent = live.heard > 0 ? (now() - live.heard) / 1000 : 0;
  return (
    <div class="lost" role="alert">
      <Note tone="bad" title={live.error ? "windvane does not answer." : "Live updates are cut off."}>
        {live.heard === 0
          ? "Nothing was read yet"
          : live.error
            ? `What you see is ${duration(silent)} old, and the mesh may be in another state`
            : "It is asked every 5 s instead"}
        {live.error && live.error !== "windvane does not answer" ? ` (${live.error})` : ""}. This page tries again by itself; <code>windvane status</code> asks on the
        machine.
      </Note>
    </div>
  );
}

start();
const app = document.getElementById("app");
if (app) render(<App />, app);
