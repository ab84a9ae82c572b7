import { expect, test } from "vitest";

import { modelName, slug } from "./sizes";

test("a project's name becomes one that Ollama takes", () => {
  expect(slug("Lindenhof handbook: 2026/27")).toBe("lindenhof-handbook-2026-27");
  expect(slug("Über uns")).toBe("uber-uns");
  expect(slug("员工手册")).toBe("my-model");
  for (const name of ["Lindenhof", "ä", "2026!", "员工手册"]) expect(modelName(slug(name))).toBe(true);
});

test("names with capitals, blanks or slashes are refused", () => {
  for (const name of ["", "My", "a b", "a/b", "-a", ".."]) expect(modelName(name)).toBe(false);
});
