import { expect, test } from "vitest";

import { changes, shortened } from "./changes";

test("only the blanks that were taken out are marked", () => {
  expect(changes("No.   Bring it. ", "No. Bring it.")).toEqual([
    { kind: "same", text: "No. " },
    { kind: "gone", text: "  " },
    { kind: "same", text: "Bring it." },
    { kind: "gone", text: " " },
  ]);
});

test("both texts can be put together again from the pieces", () => {
  const before = "Call Dr. Halder on 0170 555 0142 within two hours.";
  const after = "Call Dr. Halder on [telephone] within two hours!";
  const pieces = changes(before, after);
  expect(pieces.filter((piece) => piece.kind !== "new").map((piece) => piece.text).join("")).toBe(before);
  expect(pieces.filter((piece) => piece.kind !== "gone").map((piece) => piece.text).join("")).toBe(after);
});

test("what lies far from a change is left out, on the side that is far", () => {
  const words = "word ".repeat(100);
  const short = shortened(changes(`${words}end  here ${words}`, `${words}end here ${words}`), 10);
  expect(short.map((change) => change.text)).toEqual(["… word end ", " ", "here word …"]);
  expect(shortened(changes("a  b", "a b"))).toEqual(changes("a  b", "a b"));
});
