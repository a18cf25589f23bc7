// Takes a picture of a page of a running daemon:
//   node browser/picture.mjs URL FILE [WIDTH] [HEIGHT] [light|dark] [full]

import { withBrowser } from "./browser.mjs";

const [url, file, width = "1280", height = "800", scheme = "light", full = ""] = process.argv.slice(2);
if (!url || !file) {
  console.error("picture: say the address of a page and the file, as in: node browser/picture.mjs http://127.0.0.1:9480/ page.png");
  process.exit(2);
}
await withBrowser({ viewport: { width: +width, height: +height }, colorScheme: scheme }, async (context) => {
  const page = context.pages()[0] ?? (await context.newPage());
  page.on("console", (m) => m.type() === "error" && console.error("console:", m.text()));
  page.on("pageerror", (e) => console.error("error:", e.message));
  await page.goto(url);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: file, fullPage: full === "full" });
});
