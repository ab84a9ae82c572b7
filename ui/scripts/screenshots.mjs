// Pictures of every page with the in-memory host: both languages, both lights, the usual and the smallest window.
// `npm run screenshots -- [FOLDER] [only=train]`. Needs chromium.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

const [folder = "pictures", ...rest] = process.argv.slice(2).filter((word) => !word.startsWith("only="));
const only = process.argv.find((word) => word.startsWith("only="))?.slice(5);
const quick = rest.includes("quick");
const odd = rest.includes("odd");
const pages = [
  ["welcome", "all"], ["welcome", "new"], ["welcome", "stopped"], ["welcome", "running"], ["welcome", "new", "new-project"], ["welcome", "new", "settings"], ["computer", "all"], ["import", "imported", "document-row"], ["import", "empty"], ["import", "imported"], ["import", "imported", "document-d4"], ["import", "imported", "open-files"], ["import", "imported", "draft-start", "pace=20000"],
  ["import", "imported", "", "drafts=waiting"], ["import", "imported", "draft-failures", "drafts=failed"], ["clean", "imported"], ["clean", "imported", "tab-drafts"], ["clean", "imported", "tab-drafts", "drafts=waiting"],
  ["clean", "imported", "tab-drafts,main-action,approve-rest", "drafts=waiting"], ["clean", "imported", "tab-drafts,main-action,augment,augment-paraphrase", "drafts=waiting"],
  ["clean", "cleaned"], ["clean", "cleaned", "tab-rows"], ["clean", "cleaned", "tab-rows,edit-row"], ["clean", "cleaned", "tab-seen"], ["clean", "imported", "look-personal"], ["clean", "imported", "look-near_duplicates"], ["clean", "imported", "look-balance"], ["clean", "imported", "quiet-rules,look-perplexity,measure"], ["clean", "imported", "look-characters,option-letters_and_digits_only"], ["clean", "cleaned", "open-parts"], ["clean", "cleaned", "tab-seen,save-dataset"], ["configure", "cleaned"], ["configure", "cleaned", "all-settings"], ["train", "cleaned"], ["train", "running"], ["train", "stopped"], ["train", "failed"],
  ["train", "trained"], ["evaluate", "trained"], ["evaluate", "examined"], ["evaluate", "examined", "tab-ask"], ["export", "examined"], ["export", "all"], ["export", "examined", "put-into-ollama"],
];
const looks = quick ? [["en", "light", "1280,800"]] : odd ? [["zh", "light", "1000,640"], ["en", "dark", "1280,800"]] : ["en", "zh"].flatMap((lang) => ["light", "dark"].flatMap((theme) => ["1280,800", "1000,640"].map((size) => [lang, theme, size])));

mkdirSync(folder, { recursive: true });
execFileSync("npx", ["vite", "build", "--mode", "pictures", "--logLevel", "warn"], { stdio: "inherit" });
const server = spawn(process.execPath, ["node_modules/vite/bin/vite.js", "preview", "--outDir", "dist-pictures", "--port", "4179", "--strictPort"], { stdio: "ignore" });
try {
  for (let tries = 0; tries < 60; tries += 1) {
    if (await fetch("http://localhost:4179/").then((answer) => answer.ok, () => false)) break;
    await new Promise((later) => setTimeout(later, 250));
  }
  for (const [step, scene, press = "", more = ""] of pages.filter(([step]) => !only || step === only)) {
    for (const [lang, theme, size] of looks) {
      const file = resolve(folder, `${[step, scene, ...press.split(","), more.replace("=", "-")].filter(Boolean).join("-")}-${lang}-${theme}-${size.split(",")[0]}.png`);
      const url = `http://localhost:4179/?host=fake&step=${step}&scene=${scene}&lang=${lang}&theme=${theme}&press=${press}&${more}`;
      execFileSync("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=4000", `--window-size=${size}`, `--screenshot=${file}`, url], { stdio: "ignore" });
    }
  }
} finally {
  server.kill();
}
