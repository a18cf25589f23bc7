// What several pages are made of.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "./api";

export type Tone = "bad" | "warn" | "calm";

const marks: Record<Tone, string> = { bad: "▲", warn: "◆", calm: "·" };

/** Note is something that one should know. Its mark and words say what its colour does. */
export function Note({ tone, title, children }: { tone: Tone; title: string; children?: ComponentChildren }) {
  return (
    <div class={"note " + tone}>
      <span class="mark" aria-hidden="true">
        {marks[tone]}
      </span>
      <div>
        <strong>{title}</strong> {children}
      </div>
    </div>
  );
}

/** Flag is a word in a row, with a mark. */
export function Flag({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <span class={"flag " + tone}>
      <span aria-hidden="true">{marks[tone]} </span>
      {children}
    </span>
  );
}

/** messageOf is what to tell of an error. */
export const messageOf = (e: unknown): string => (e instanceof ApiError ? e.message : String(e));

export interface Asked<T> {
  value: T | null; // the newest that came
  error: string;
}

/** useAsked asks again whenever a key changes, and keeps what it had until the answer is there,
 * except where it is about something else: then of has changed, too. */
export function useAsked<T>(ask: () => Promise<T>, of: string, again: unknown): Asked<T> {
  const [held, set] = useState<Asked<T> & { of: string }>({ value: null, error: "", of });
  const turn = useRef(0);
  useEffect(() => {
    const mine = ++turn.current;
    ask().then(
      (value) => mine === turn.current && set({ value, error: "", of }),
      (e: unknown) => mine === turn.current && set((h) => ({ value: h.of === of ? h.value : null, error: messageOf(e), of })),
    );
    return () => {
      turn.current++;
    };
  }, [of, again]);
  return held.of === of ? held : { value: null, error: "" };
}

/** Ask is a dialog that names what is about to be done, and waits for a person. */
export function Ask({ title, children, close }: { title: string; children: ComponentChildren; close: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    box.current?.showModal();
  }, []);
  return (
    <dialog ref={box} onClose={close} aria-labelledby="ask-title">
      <h2 id="ask-title">{title}</h2>
      {children}
    </dialog>
  );
}
