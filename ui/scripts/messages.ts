// Stops the build when the two languages do not hold the same messages with the same values in them.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { differences } from "./differences.ts";

const languages = ["en", "zh"] as const;

/** A Vite plugin that makes a missing message an error of the build. */
export function checkedMessages() {
  return {
    name: "checked-messages",
    buildStart() {
      const [en, zh] = languages.map((language) =>
        JSON.parse(readFileSync(resolve(import.meta.dirname, `../messages/${language}.json`), "utf8")),
      );
      const wrong = differences(en, zh);
      if (wrong.length > 0) throw new Error(`messages/:\n${wrong.join("\n")}`);
    },
  };
}
