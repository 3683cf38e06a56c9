import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { firstLoad } from "./vite/first-load.ts";
import { serviceWorker } from "./vite/service-worker.ts";

const SERVER = "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), serviceWorker(), firstLoad()],
  build: {
    target: "es2022",
    // Nothing is written into the page as data: the CSP of the server stays short, and each file is cached by its name.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // Of the packages that the scripts hold; their licences ask that they come along.
    license: { fileName: "licences.txt" },
  },
  // `npm run dev` beside `dermacare serve`, which takes requests from its own pages alone.
  server: { proxy: { "^/(api/|readyz)": { target: SERVER, changeOrigin: true, headers: { Origin: SERVER } } } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test-setup.ts"],
    testTimeout: 60_000,
    css: { modules: { classNameStrategy: "non-scoped" } },
  },
});
