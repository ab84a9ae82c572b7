// The shipped presets, read from the same files that the worker reads: their knobs, values and comments.
const files = import.meta.glob<string>("../../../../presets/*.toml", { query: "?raw", import: "default", eager: true });

export type Knob = { name: string; value: string; comment: string };
export type PresetName = "quick" | "balanced" | "thorough";
export const goals: PresetName[] = ["quick", "balanced", "thorough"];

/** The knobs of a preset in the order of its file. */
export function knobsOf(preset: PresetName): Knob[] {
  const text = Object.entries(files).find(([path]) => path.endsWith(`/${preset}.toml`))?.[1] ?? "";
  return readKnobs(text).filter((knob) => knob.name !== "preset");
}

/** Reads `key = value` lines with the comment above each; enough TOML for files that Hone ships. */
export function readKnobs(text: string): Knob[] {
  const knobs: Knob[] = [];
  let table = "";
  let comment: string[] = [];
  for (const line of text.split("\n").map((each) => each.trim())) {
    const pair = /^(\w+)\s*=\s*(.+)$/.exec(line);
    if (line.startsWith("#")) {
      comment.push(line.slice(1).trim());
    } else if (pair?.[1] && pair[2]) {
      knobs.push({ name: table + pair[1], value: pair[2], comment: comment.join(" ") });
      comment = [];
    } else {
      const heading = /^\[([\w.]+)\]$/.exec(line);
      if (heading) table = `${heading[1]}.`;
      comment = [];
    }
  }
  return knobs;
}

/** A knob's value without the quotes of TOML. */
export function plain(value: string): string {
  return /^"[^"]*"$/.test(value) ? value.slice(1, -1) : value;
}
