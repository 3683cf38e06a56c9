import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { firstLoad } from "./vite/first-load.ts";
import { serviceWorker } from "./vite/service-worker.ts";

export default defineConfig({
  plugins: [react(), serviceWorker(), firstLoad()],
  build: {
    target: "es2022",
    // Nothing is written into the page as data: the CSP of the server stays short, and each file is cached by its name.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  // `npm run dev` beside `dermacare serve`.
  server: { proxy: { "/api": "http://127.0.0.1:8000", "/healthz": "http://127.0.0.1:8000" } },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test-setup.ts"],
    css: { modules: { classNameStrategy: "non-scoped" } },
  },
});
