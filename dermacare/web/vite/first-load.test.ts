import { randomBytes } from "node:crypto";
import type { Rollup } from "vite";
import { expect, test, vi } from "vitest";
import { firstLoad, LIMIT, needed } from "./first-load.ts";

/** A bundle with an entry, a part that both need, and a page, whose script has so many bytes that gzip cannot make smaller. */
function bundleOf(bytes: number): Rollup.OutputBundle {
  const chunk = (fileName: string, more: object) => ({
    type: "chunk",
    fileName,
    code: "",
    imports: [],
    isEntry: false,
    facadeModuleId: null,
    viteMetadata: { importedCss: new Set(), importedAssets: new Set() },
    ...more,
  });
  return {
    "index.html": { type: "asset", fileName: "index.html", source: "<html>" },
    "main.css": { type: "asset", fileName: "main.css", source: "" },
    "main.js": chunk("main.js", {
      isEntry: true,
      imports: ["shared.js"],
      viteMetadata: { importedCss: new Set(["main.css"]) },
    }),
    "shared.js": chunk("shared.js", { imports: ["main.js"] }),
    "page.js": chunk("page.js", {
      imports: ["shared.js"],
      facadeModuleId: "/src/pages/predict/page.tsx",
      code: randomBytes(bytes).toString("latin1"),
    }),
  } as unknown as Rollup.OutputBundle;
}

test("a page needs what it imports, what that imports, and their styles, once each", () => {
  expect([...needed(bundleOf(0), "page.js")].sort()).toEqual(["main.css", "main.js", "page.js", "shared.js"]);
});

test("a build ends where the first load of a page is above the limit", () => {
  vi.spyOn(console, "log").mockImplementation(() => {});
  const write = (bytes: number) => () => firstLoad().writeBundle({}, bundleOf(bytes));
  expect(write(LIMIT / 4)).not.toThrow();
  expect(write(LIMIT + 1)).toThrow("predict: its first load exceeds 200 KiB");
});
