import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

import { checkedMessages } from "./scripts/messages.ts";

// `vite build --mode pictures` keeps the in-memory host in the bundle; a plain build leaves it out.
export default defineConfig(({ mode }) => ({
  plugins: [checkedMessages(), svelte()],
  define: { __FAKE_HOST__: JSON.stringify(mode !== "production") },
  build: { target: ["safari17.5", "chrome123"], outDir: mode === "pictures" ? "dist-pictures" : "dist" },
  server: { port: 5173, strictPort: true, fs: { allow: [".", "../presets"] } },
  resolve: mode === "test" ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom", include: ["src/**/*.test.ts"], testTimeout: 30_000 },
}));
