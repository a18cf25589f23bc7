// What the daemon last said, and how sure it is that this is still so.

import { useEffect, useState } from "preact/hooks";

import { ApiError, get, path, type Caller, type Mesh, type Status } from "./api";

/** Held is a mesh with when its state came, by this page's own clock (ms). */
export interface Held {
  mesh: Mesh;
  received: number;
}

export interface Live {
  status: Status | null;
  meshes: Held[];
  caller: Caller | null;
  stream: "connecting" | "open" | "lost";
  heard: number; // when the daemon was heard last, ms of performance.now
  error: string; // why nothing could be read; empty: it could
}

const silence = 12_000; // ms without a word, after which the connection counts as lost
const pollEvery = 5_000; // ms, while there is no stream

let state: Live = { status: null, meshes: [], caller: null, stream: "connecting", heard: 0, error: "" };
const listeners = new Set<() => void>();

function set(change: Partial<Live>): void {
  state = { ...state, ...change };
  for (const l of listeners) l();
}

export const now = (): number => performance.now();

/** useLive is the state, and renders again when it changes. */
export function useLive(): Live {
  const [, again] = useState(0);
  useEffect(() => {
    const l = () => again((n) => n + 1);
    listeners.add(l);
    return () => {
      listeners.delete(l);
    };
  }, []);
  return state;
}

/** useClock renders again every second. */
export function useClock(): number {
  const [t, tick] = useState(now());
  useEffect(() => {
    const timer = setInterval(() => tick(now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return t;
}

/** age is how long ago a mesh's last cycle ended, in seconds; null: there was none. */
export function age(h: Held, at: number): number | null {
  return h.mesh.age_seconds === null ? null : h.mesh.age_seconds + Math.max(0, at - h.received) / 1000;
}

/** old says that cycles are overdue, as the daemon's own health does. */
export function old(h: Held, at: number): boolean {
  const a = age(h, at);
  return a !== null && a > 2 * h.mesh.interval_seconds + 2;
}

async function readAll(): Promise<void> {
  try {
    const [status, caller] = await Promise.all([get<Status>("status"), get<Caller>("caller")]);
    const received = now();
    set({ status, caller, meshes: status.meshes.map((mesh) => ({ mesh, received })), error: "", heard: received });
  } catch (e) {
    set({ error: e instanceof ApiError ? e.message : String(e) });
  }
}

const reading = new Map<string, boolean>(); // by mesh that is read just now: read it again afterwards

async function readMesh(name: string): Promise<void> {
  if (reading.has(name)) {
    reading.set(name, true);
    return;
  }
  reading.set(name, false);
  try {
    const mesh = await get<Mesh>("meshes/" + path(name));
    const held = { mesh, received: now() };
    const known = state.meshes.some((h) => h.mesh.name === name);
    if (!known) await readAll();
    else set({ meshes: state.meshes.map((h) => (h.mesh.name === name ? held : h)), error: "", heard: held.received });
  } catch (e) {
    if (e instanceof ApiError && e.status === 404) await readAll(); // a reload took it away
    else set({ error: e instanceof ApiError ? e.message : String(e) });
  }
  const again = reading.get(name);
  reading.delete(name);
  if (again) void readMesh(name);
}

/** refresh reads everything anew: somebody has acted by this page. */
export const refresh = readAll;

/** start follows the daemon from now on. */
export function start(): void {
  let source: EventSource | null = null;
  let polled = 0;
  const connect = () => {
    source?.close();
    source = new EventSource("api/v1/events");
    source.onopen = () => {
      set({ stream: "open", heard: now() });
      void readAll();
    };
    source.addEventListener("alive", () => set({ stream: "open", heard: now() }));
    source.addEventListener("mesh", (e) => {
      set({ stream: "open", heard: now() });
      void readMesh((JSON.parse(e.data as string) as { mesh: string }).mesh);
    });
    source.onerror = () => {
      if (state.stream !== "lost") set({ stream: "lost" });
    };
  };
  void readAll();
  connect();
  setInterval(() => {
    if (state.stream === "open" && now() - state.heard > silence) set({ stream: "lost" });
    if (state.stream !== "lost" || now() - polled < pollEvery) return;
    polled = now();
    if (source?.readyState === EventSource.CLOSED || now() - state.heard > silence) connect();
    void readAll();
  }, 1000);
}
