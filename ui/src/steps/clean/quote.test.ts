import { expect, test } from "vitest";

import { parted } from "./quote";

test("a quote is found over line breaks and runs of blanks, and its signs stand for themselves", () => {
  expect(parted("The fridge is read\n  twice a day. Log it.", "read twice a day.")).toEqual(["The fridge is ", "read\n  twice a day.", " Log it."]);
  expect(parted("夏季从四月一日\n到九月。", "四月一日到九月")).toEqual(["夏季从", "四月一日\n到九月", "。"]);
  expect(parted("a (b*c) [d] | e/f", "(b*c) [d] | e/f")).toEqual(["a ", "(b*c) [d] | e/f", ""]);
  expect(parted("Rockets", "rockets")).toBeNull();
  expect(parted("Rockets", " ")).toBeNull();
});
