// Takes the pictures of docs/dashboard.md anew: node browser/pictures.mjs

import { withBrowser } from "./browser.mjs";
import { Stage, built, demo } from "./stage.mjs";

const out = new URL("../../../docs/pictures/", import.meta.url).pathname;
const wide = { width: 1180, height: 420 };

async function picture(url, name, options) {
  await withBrowser({ viewport: wide, colorScheme: "light", ...options }, async (context) => {
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(url);
    await page.waitForFunction(() => document.querySelector("main h1") && !document.querySelector("main").innerText.includes("read…"), null, { timeout: 60_000 });
    await page.waitForTimeout(500);
    await page.screenshot({ path: `${out}${name}.png` });
  });
}

/** until asks the daemon for its status until a mesh is as is wanted. */
async function until(url, wanted) {
  for (;;) {
    const mesh = await fetch(`${url}/api/v1/meshes/shop`).then((a) => a.json()).catch(() => null);
    if (mesh?.services && wanted(mesh)) return;
    await new Promise((done) => setTimeout(done, 100));
  }
}

const busy = (m) => m.policy === "planner" && m.cycle > 690 && m.services.every((s) => s.offered !== null) && (m.services.some((s) => s.blocking > 0.1 && s.carried < 0.9 * s.offered) || m.cycle > 890);

const programs = await built();
const d = await demo(programs.windvane, "--speed", "20");
for (const [name, options] of [["overview-light", {}], ["overview-dark", { colorScheme: "dark" }], ["overview-phone", { viewport: { width: 360, height: 640 } }]]) {
  await until(d.url, busy);
  await picture(d.url + "/", name, options);
}
await d.finished;
await picture(d.url + "/#/promise/shop/compute", "promise-light", { viewport: { width: 1180, height: 640 } });
await picture(d.url + "/#/service/shop/compute", "service-light", { viewport: { width: 1180, height: 900 } });
await d.close();

const s = await Stage.open(programs.stage);
await s.tell("run 100");
await s.tell("fail prometheus");
await s.tell("run 2");
await picture(s.url + "/", "trouble-light", { viewport: { width: 1180, height: 620 } });
await s.close();
await programs.remove();
