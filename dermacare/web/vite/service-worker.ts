import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Rollup } from "vite";

const SOURCE = new URL("./service-worker.js", import.meta.url);
/** What `public/` holds of the shell; the rest of it (icons of other sizes) the browser fetches itself, once, to install. */
const PUBLIC = ["/", "/icon.svg", "/manifest.webmanifest"];

/** Write `service-worker.js`: our source, with the list of the shell's files and a version that changes with them. */
export function serviceWorker() {
  return {
    name: "service-worker",
    apply: "build" as const,
    enforce: "post" as const,
    generateBundle(this: Rollup.PluginContext, _options: unknown, bundle: Rollup.OutputBundle) {
      const files = Object.keys(bundle).filter((name) => name.startsWith("assets/"));
      const shell = [...PUBLIC, ...files.sort().map((name) => `/${name}`)];
      const page = bundle["index.html"];
      const version = createHash("sha256")
        .update(JSON.stringify(shell))
        .update(page?.type === "asset" ? page.source : "")
        .digest("hex")
        .slice(0, 16);
      const source = readFileSync(SOURCE, "utf8")
        .replace("__VERSION__", JSON.stringify(version))
        .replace("__SHELL__", JSON.stringify(shell, null, 2));
      this.emitFile({ type: "asset", fileName: "service-worker.js", source });
    },
  };
}
