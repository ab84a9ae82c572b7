import { expect, test } from "vitest";

import { goals, knobsOf, readKnobs } from "./presets";

test("knobs come with their table, value and comment", () => {
  expect(readKnobs('# How often.\n# Really.\nepochs = 3\n\n[lora]\n# Width.\nrank = 32\nmodules = ["q_proj"]\n')).toEqual([
    { name: "epochs", value: "3", comment: "How often. Really." },
    { name: "lora.rank", value: "32", comment: "Width." },
    { name: "lora.modules", value: '["q_proj"]', comment: "" },
  ]);
});

test("every shipped goal has the knobs that the page offers", () => {
  for (const goal of goals) {
    const names = knobsOf(goal).map((knob) => knob.name);
    expect(names).toEqual(expect.arrayContaining(["epochs", "max_seq_len", "early_stopping", "keep_best", "gradient_checkpointing", "checkpoint_minutes"]));
    expect(knobsOf(goal).every((knob) => knob.comment.length > 10)).toBe(true);
  }
});
