// Where a quote stands in its passage, for marking it. White space does not count, as it does not for the worker.

/** The passage in three parts, the quote in the middle; `null` where it does not stand there. */
export function parted(passage: string, quote: string): [string, string, string] | null {
  const letters = [...quote.replace(/\s+/g, "")];
  if (letters.length === 0) return null;
  const pattern = letters.map((letter) => letter.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&")).join("\\s*");
  const found = new RegExp(pattern, "u").exec(passage);
  if (!found) return null;
  return [passage.slice(0, found.index), found[0], passage.slice(found.index + found[0].length)];
}
