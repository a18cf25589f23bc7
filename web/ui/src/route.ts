// Where in the dashboard one is: the part of the address behind #, so that the address of the
// page itself is always the daemon's root, below whatever path a proxy has put it.

import { useEffect, useState } from "preact/hooks";

export interface Route {
  page: string;
  parts: string[]; // of the path behind the page
  query: URLSearchParams;
}

function parse(hash: string): Route {
  const [before = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...parts] = before.split("/").map(decodeURIComponent);
  return { page: page || "overview", parts, query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  const [route, go] = useState(() => parse(location.hash));
  useEffect(() => {
    const changed = () => go(parse(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

/** to is the address of a page of the dashboard. */
export function to(page: string, parts: (string | number)[] = [], query: Record<string, string> = {}): string {
  const q = new URLSearchParams(query).toString();
  return "#/" + [page, ...parts].map((p) => encodeURIComponent(p)).join("/") + (q ? "?" + q : "");
}
