import { defineConfig } from "vite";

// Names are relative, so that the pages work below any path of a proxy. There is one script
// and one style sheet: they are small, and a second request would only come later.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../../daemon/ui/dist",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    reportCompressedSize: false,
  },
});
