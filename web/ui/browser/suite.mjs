// The dashboard in a headless Chromium: over the demo, with things that fail, with a plan that
// waits and with a thousand services. It needs Go and a Chromium (CHROMIUM, else
// /usr/bin/chromium). Names of cases as arguments run these alone.

import { createServer, request } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

import axe from "axe-core";

import { withBrowser } from "./browser.mjs";
import { Stage, built, demo } from "./stage.mjs";

const standard = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const desk = { width: 1280, height: 800 };
const phone = { width: 360, height: 740 };

let failures = 0;
const figures = [];

function check(ok, what) {
  if (ok) return;
  failures++;
  console.log(`  FAIL ${what}`);
}

/** figure is something measured that may not be more than a bound. */
function figure(name, value, most, unit) {
  figures.push({ name, value: +value.toFixed(1), most, unit });
  check(value <= most, `${name}: ${value.toFixed(1)} ${unit}, want at most ${most}`);
}

/** traced returns, beside what use returns, the longest task of the page's main thread by its CPU
 * time, in ms: what other processes of a busy machine do is not in it. */
async function traced(context, page, use) {
  const cdp = await context.newCDPSession(page);
  const events = [];
  cdp.on("Tracing.dataCollected", (e) => events.push(...e.value));
  await cdp.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["toplevel", "__metadata"], enableArgumentFilter: false } });
  await use();
  const complete = new Promise((done) => cdp.once("Tracing.tracingComplete", done));
  await cdp.send("Tracing.end");
  await complete;
  await cdp.detach();
  const main = new Set(events.filter((e) => e.name === "thread_name" && e.args?.name === "CrRendererMain").map((e) => `${e.pid} ${e.tid}`));
  const tasks = events.filter((e) => e.ph === "X" && e.tdur !== undefined && main.has(`${e.pid} ${e.tid}`));
  check(tasks.length > 20, `the trace has ${tasks.length} tasks of the page only`);
  return Math.max(0, ...tasks.map((e) => e.tdur / 1000));
}

/** watched is a page whose errors and requests to elsewhere are failures. `expected` matches
 * messages of the console that belong to what the case does. */
async function watched(context, url, expected = /^$/) {
  const page = context.pages()[0] ?? (await context.newPage());
  page.on("console", (m) => m.type() === "error" && check(expected.test(m.text()), `console: ${m.text()}`));
  page.on("pageerror", (e) => check(false, `error in the page: ${e.message}`));
  page.on("request", (r) => check(url === "about:blank" || r.url().startsWith(new URL(url).origin), `it asks ${r.url()}`));
  await page.addInitScript(() => {
    window.long = [];
    new PerformanceObserver((l) => window.long.push(...l.getEntries().map((e) => e.duration))).observe({ type: "longtask", buffered: true });
  });
  await page.goto(url);
  return page;
}

async function accessible(page, where) {
  await page.evaluate(axe.source);
  const found = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), standard);
  for (const v of found.violations) check(false, `${where}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | ")}`);
}

const fits = async (page, where) =>
  check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${where}: wider than the window`);

const sees = async (page, text, what = text) => {
  await page.getByText(text).first().waitFor({ timeout: 15_000 }).catch(() => check(false, `the page does not say: ${what}`));
};

const as = (s, options = {}) => ({ httpCredentials: { username: "ann", password: "secret", origin: s.url, send: "always" }, viewport: desk, ...options });

const cases = {
  async weight() {
    const dist = new URL("../../../daemon/ui/dist/", import.meta.url);
    const files = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    const bytes = files.map((f) => gzipSync(readFileSync(`${f.parentPath}/${f.name}`), { level: 9 }).length);
    figure("all files, gzip", bytes.reduce((a, b) => a + b, 0) / 1000, 150, "kB");
  },

  async demo(p) {
    const d = await demo(p.windvane, "--duration", "4m");
    const pages = ["overview", "service/shop/compute", "decisions", "policies", "model", "promise/shop/compute"];
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, d.url + "/");
      await sees(page, /cycle \d+ at/);
      const before = await page.textContent(".authority");
      await page.waitForFunction((b) => document.querySelector(".authority")?.textContent !== b, before, { timeout: 10_000 }).catch(() => check(false, "the overview stands still while the demo runs"));
    });
    await d.finished;
    for (const scheme of ["light", "dark"]) {
      for (const viewport of [desk, phone]) {
        await withBrowser({ viewport, colorScheme: scheme }, async (context) => {
          const page = await watched(context, d.url + "/");
          for (const name of pages) {
            const where = `${name}, ${scheme}, ${viewport.width} px`;
            await page.goto(`${d.url}/#/${name}`);
            await page.locator("main h1").first().waitFor();
            await page.waitForFunction(() => !document.querySelector("main").innerText.includes("read…"), null, { timeout: 30_000 }).catch(() => check(false, `${where}: it stays empty`));
            await page.waitForTimeout(200);
            check((await page.locator("main").innerText()).length > 80, `${where}: the page is empty`);
            await fits(page, where);
            await accessible(page, where);
          }
          await page.goto(`${d.url}/#/decisions`);
          await page.locator(".timeline a").first().click();
          await sees(page, "what was decided", "what windvane explain prints");
          await accessible(page, `a decision, ${scheme}, ${viewport.width} px`);
        });
      }
    }
    await withBrowser({ viewport: { width: 3840, height: 2160 } }, async (context) => {
      const page = await watched(context, d.url + "/");
      await sees(page, "compute");
      await fits(page, "overview, 3840 px");
    });
    await d.close();
  },

  async live(p) {
    const s = await Stage.open(p.stage, "-users");
    await s.tell("run 3");
    await withBrowser(as(s), async (context) => {
      const page = await watched(context, s.url + "/");
      await sees(page, /cycle 3 at/);
      let worst = 0;
      for (let cycle = 4; cycle <= 9; cycle++) {
        await s.tell("run 1");
        const begun = performance.now();
        await page.waitForFunction((c) => document.querySelector(".authority")?.textContent.includes(`cycle ${c} at`), cycle, { polling: 20, timeout: 5000 }).catch(() => {});
        worst = Math.max(worst, performance.now() - begun);
        await page.waitForTimeout(300);
      }
      figure("live update after the cycle, worst of 6", worst / 1000, 1, "s");

      await page.getByRole("button", { name: "Stop: mesh shop" }).click(); // one press stops it
      await sees(page, "observes: it decides, and writes nothing");
      await page.getByRole("button", { name: /^Let it act again/ }).click();
      await accessible(page, "the question whether it may act");
      await page.getByRole("button", { name: "Yes, act" }).click();
      await sees(page, "acts by itself");
    });
    await s.close();
  },

  async keyboard(p) {
    const s = await Stage.open(p.stage);
    await s.tell("run 3");
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, s.url + "/");
      await sees(page, /cycle 3 at/);
      const order = [];
      for (let i = 0; i < 10; i++) {
        await page.keyboard.press("Tab");
        order.push(await page.evaluate(() => document.activeElement?.textContent ?? ""));
      }
      check(order[0].startsWith("Skip") && order.includes("Decisions") && order.includes("Stop") && order.includes("cart"), `Tab goes to ${order.join(", ")}`);
      await page.getByRole("button", { name: "Stop: mesh shop" }).press("Enter"); // without rights: how to
      await sees(page, "windvane mode shop observe");
      await accessible(page, "how to stop it without rights");
      await page.keyboard.press("Escape");
      check((await page.locator("dialog").count()) === 0, "Escape does not close the dialog");
      await page.getByRole("link", { name: "cart" }).press("Enter");
      await page.locator("h1", { hasText: "cart" }).waitFor();
      check(await page.evaluate(() => document.activeElement?.id === "main"), "the focus does not follow to the new page");
    });
    await s.close();
  },

  async prometheus(p) {
    const s = await Stage.open(p.stage);
    await s.tell("run 5");
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, s.url + "/");
      await sees(page, /cycle 5 at/);
      await s.tell("fail prometheus");
      await s.tell("run 2");
      await sees(page, "Nothing is measured");
      await sees(page, "unknown");
      check(!(await page.locator(".rows").innerText()).includes("0/s"), "what is not known is shown as 0");
      await accessible(page, "without Prometheus");
      await s.tell("heal");
      await s.tell("run 3");
      await page.getByText("Nothing is measured").waitFor({ state: "detached", timeout: 5000 }).catch(() => check(false, "it does not see that Prometheus is back"));
    });
    await s.close();
  },

  async plugin(p) {
    const s = await Stage.open(p.stage, "-policy", "explore");
    await s.tell("run 2");
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, s.url + "/");
      await sees(page, /cycle 2 at/);
      await s.tell("kill");
      await s.tell("run 1");
      await sees(page, "the active policy did not decide");
      await accessible(page, "with a dead plugin");
      await page.goto(`${s.url}/#/policies`);
      await sees(page, "threshold");
      await accessible(page, "policies with a dead plugin");
    });
    await s.close();
  },

  async plan(p) {
    const s = await Stage.open(p.stage, "-users", "-authority", "approve");
    await withBrowser(as(s), async (context) => {
      const page = await watched(context, s.url + "/");
      const waits = async () => {
        for (let i = 0; i < 80 && (await page.getByRole("button", { name: /^Approve plan/ }).count()) === 0; i++) {
          await s.tell("run 1");
          await page.waitForTimeout(350);
        }
        check((await page.getByRole("button", { name: /^Approve plan/ }).count()) > 0, "no plan comes");
      };
      let applied = false; // a cycle may not admit it any more: the load is another one
      for (let i = 0; i < 15 && !applied; i++) {
        await waits();
        if (i === 0) await accessible(page, "with a plan that waits");
        await page.getByRole("button", { name: /^Approve plan/ }).click();
        await sees(page, /is approved by ann/);
        await s.tell("run 1");
        const [newest] = await page.evaluate(() => fetch("api/v1/decisions?limit=1").then((r) => r.json()).then((d) => d.decisions));
        applied = newest.approved_by === "ann" && newest.applied;
      }
      check(applied, "no plan that was approved is applied");
      await page.goto(`${s.url}/#/decisions`);
      await sees(page, /^approved by ann/);
      await page.goto(`${s.url}/#/`);
      await waits();
      await page.getByRole("button", { name: "Refuse it" }).click();
      await page.getByRole("button", { name: /^Approve plan/ }).waitFor({ state: "detached", timeout: 5000 }).catch(() => check(false, "a refused plan stays"));
    });
    await s.close();
  },

  async thousand(p) {
    const s = await Stage.open(p.stage, "-services", "1000");
    await s.tell("run 3");
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, s.url + "/");
      await page.locator(".row .name a").first().waitFor({ timeout: 20_000 });
      const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 1e9);
      figure("1,000 services, first paint", paint / 1000, 1, "s");
    });
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, "about:blank");
      const longest = await traced(context, page, async () => {
        await page.goto(s.url + "/");
        await page.locator(".row .name a").first().waitFor({ timeout: 20_000 });
        await page.waitForTimeout(1000);
        for (let y = 0; y < 40_000; y += 1300) {
          await page.evaluate((to) => scrollTo(0, to), y);
          await page.waitForTimeout(20);
        }
        for (let i = 0; i < 3; i++) {
          await s.tell("run 1");
          await page.waitForTimeout(700);
        }
      });
      figure("1,000 services, longest task in the page, CPU time", longest, 100, "ms");
      console.log(`  by the clock: ${Math.max(0, ...(await page.evaluate(() => window.long)))} ms`);
      figure("1,000 services, rows in the page", await page.locator(".row").count(), 80, "");
      await page.evaluate(() => scrollTo(0, 0));
      await accessible(page, "a thousand services");
      await page.getByRole("searchbox").fill("0420");
      await sees(page, "1 shown");
      check((await page.locator(".row .name a").count()) === 1, "the filter does not filter");
    });
    await s.close();
  },

  async lost(p) {
    const s = await Stage.open(p.stage);
    await s.tell("run 3");
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, s.url + "/", /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
      await sees(page, /cycle 3 at/);
      await sees(page, "These data are old.");
      await s.close();
      await sees(page, "windvane does not answer.");
      await sees(page, "not live");
      await accessible(page, "with the connection lost");
    });
  },

  async prefix(p) {
    const s = await Stage.open(p.stage);
    await s.tell("run 3");
    const behind = new URL(s.url);
    const proxy = createServer((q, a) => {
      if (!q.url.startsWith("/ops/windvane/")) return void a.writeHead(404).end();
      const r = request({ host: behind.hostname, port: behind.port, method: q.method, path: q.url.slice("/ops/windvane".length), headers: q.headers }, (x) => {
        a.writeHead(x.statusCode, x.headers);
        x.pipe(a);
        a.on("close", () => x.destroy());
      });
      q.pipe(r);
    });
    await new Promise((done) => proxy.listen(0, "127.0.0.1", done));
    await withBrowser({ viewport: desk }, async (context) => {
      const page = await watched(context, `http://127.0.0.1:${proxy.address().port}/ops/windvane/`);
      await sees(page, /cycle 3 at/);
      await s.tell("run 1");
      await sees(page, /cycle 4 at/);
    });
    proxy.close();
    proxy.closeAllConnections();
    await s.close();
  },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((w) => !cases[w]);
if (unknown.length > 0) {
  console.error(`suite: no case ${unknown.join(", ")}; there are ${Object.keys(cases).join(", ")}`);
  process.exit(2);
}
const programs = await built(wanted.length === 0 || wanted.includes("demo"));
for (const [name, run] of Object.entries(cases)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const begun = performance.now();
  const before = failures;
  await run(programs).catch((e) => check(false, e.stack ?? String(e)));
  console.log(`${failures === before ? "ok  " : "FAIL"} ${name}  (${((performance.now() - begun) / 1000).toFixed(1)} s)`);
}
await programs.remove();
for (const f of figures) console.log(`${f.name}: ${f.value} ${f.unit} (at most ${f.most})`);
console.log(failures === 0 ? "the browser suite passes" : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
