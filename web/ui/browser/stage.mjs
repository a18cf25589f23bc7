// The program browser/stage, and the demo, as the suite plays with them.

import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = new URL("../../..", import.meta.url).pathname;

const children = new Set();
process.on("exit", () => children.forEach((c) => c.kill("SIGINT")));

function started(...args) {
  const child = spawn(...args);
  children.add(child);
  return { child, ended: new Promise((resolve) => child.on("exit", () => (children.delete(child), resolve()))) };
}

/** built builds the stage, and windvane if it is wanted, and returns where they are. */
export async function built(whole = true) {
  const dir = await mkdtemp(join(tmpdir(), "windvane-ui-"));
  for (const [name, path] of [["stage", "./web/ui/browser/stage"], ["windvane", "./cmd/windvane"]].slice(0, whole ? 2 : 1)) {
    const done = spawnSync("go", ["build", "-o", join(dir, name), path], { cwd: root, stdio: "inherit" });
    if (done.status !== 0) throw new Error(`go build ${path} failed`);
  }
  return { stage: join(dir, "stage"), windvane: join(dir, "windvane"), remove: () => rm(dir, { recursive: true, force: true }) };
}

/** Stage is a daemon that does what it is told. */
export class Stage {
  static async open(program, ...args) {
    const s = new Stage();
    Object.assign(s, started(program, args, { stdio: ["pipe", "pipe", "inherit"] }));
    const lines = createInterface({ input: s.child.stdout })[Symbol.asyncIterator]();
    s.next = async () => (await lines.next()).value ?? "";
    const first = await s.next();
    if (!first.startsWith("ready ")) throw new Error(`the stage did not open: ${first}`);
    s.url = first.slice(6);
    return s;
  }
  /** tell has something done, and returns when it is. */
  async tell(command) {
    this.child.stdin.write(command + "\n");
    const answer = await this.next();
    if (answer !== "ok") throw new Error(`${command}: ${answer}`);
  }
  async close() {
    this.child.stdin.end();
    await this.ended;
  }
}

/** demo runs windvane demo to its end and keeps it up; it resolves when the address is known. */
export async function demo(program, ...args) {
  const { child, ended } = started(program, ["demo", "--keep", "--seed", "1001", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let whole = "";
  let tell;
  const told = new Promise((resolve) => (tell = resolve));
  const finished = new Promise((resolve) => {
    child.stdout.on("data", (b) => {
      whole += b;
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(whole);
      if (url) tell(url[0]);
      if (whole.includes("The daemon stays up")) resolve();
    });
  });
  const url = await told;
  return { url, finished, close: async () => (child.kill("SIGINT"), await ended) };
}
