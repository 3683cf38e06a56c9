import { gzipSync } from "node:zlib";
import type { Rollup } from "vite";

/** What a first visit may cost, in all: HTML, scripts and styles of the page that is opened, as gzip sends them. */
export const LIMIT = 200 * 1024;

type Bundle = Rollup.OutputBundle;

/** Every file that the browser must have before the page of `chunk` stands: what it imports, and their styles. */
export function needed(bundle: Bundle, chunk: string, seen = new Set<string>()): Set<string> {
  const output = bundle[chunk];
  if (output?.type !== "chunk" || seen.has(chunk)) return seen;
  seen.add(chunk);
  for (const style of output.viteMetadata?.importedCss ?? []) seen.add(style);
  for (const imported of output.imports) needed(bundle, imported, seen);
  return seen;
}

function gzipped(bundle: Bundle, files: Iterable<string>): number {
  let bytes = 0;
  for (const file of files) {
    const output = bundle[file];
    if (output) bytes += gzipSync(output.type === "chunk" ? output.code : output.source).length;
  }
  return bytes;
}

/** Print what the first load of each page costs, and end the build where one costs more than the limit. */
export function firstLoad() {
  return {
    name: "first-load",
    apply: "build" as const,
    writeBundle(_options: unknown, bundle: Bundle) {
      const chunks = Object.values(bundle).filter((output) => output.type === "chunk");
      const entry = chunks.find((chunk) => chunk.isEntry);
      if (!entry) throw new Error("the build has no entry");
      const shell = needed(bundle, entry.fileName).add("index.html");
      for (const page of chunks) {
        const name = /pages\/([a-z-]+)\/page\.tsx$/.exec(page.facadeModuleId ?? "")?.[1];
        if (!name) continue;
        const bytes = gzipped(bundle, needed(bundle, page.fileName, new Set(shell)));
        console.log(`first load of ${name}: ${(bytes / 1024).toFixed(1)} KiB gzip`);
        if (bytes > LIMIT) throw new Error(`${name}: its first load exceeds ${LIMIT / 1024} KiB`);
      }
    },
  };
}
