// What a rule changed in a text, piece by piece.

export type Change = { kind: "same" | "gone" | "new"; text: string };

/** Pieces that both texts share, that only the first has, and that only the second has, in reading order. */
export function changes(before: string, after: string): Change[] {
  const a = pieces(before);
  const b = pieces(after);
  // Longest common subsequence; texts are a few hundred pieces long, longer ones are shown whole.
  if (a.length * b.length > 4_000_000) return [{ kind: "gone", text: before }, { kind: "new", text: after }];
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const below = common[(i + 1) * width + j] ?? 0;
      const right = common[i * width + j + 1] ?? 0;
      common[i * width + j] = a[i] === b[j] ? (common[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(below, right);
    }
  }
  const found: Change[] = [];
  const add = (kind: Change["kind"], text: string): void => {
    const last = found.at(-1);
    if (last?.kind === kind) last.text += text;
    else found.push({ kind, text });
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("same", a[i] ?? "");
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || (common[(i + 1) * width + j] ?? 0) >= (common[i * width + j + 1] ?? 0))) {
      add("gone", a[i] ?? "");
      i += 1;
    } else {
      add("new", b[j] ?? "");
      j += 1;
    }
  }
  return found;
}

/** Words, single blanks and single other signs: a blank too many is a change of its own. */
function pieces(text: string): string[] {
  return text.match(/[\p{L}\p{N}]+|\s|[^\p{L}\p{N}\s]/gu) ?? [];
}

/** The changes with what lies far from any of them left out: long texts are not read for one blank. */
export function shortened(found: Change[], around = 120): Change[] {
  return found.map((change, index) => {
    if (change.kind !== "same") return change;
    const first = index === 0;
    const last = index === found.length - 1;
    if (change.text.length <= (first || last ? around : 2 * around) + 20) return change;
    const head = first ? "" : change.text.slice(0, around);
    const tail = last ? "" : change.text.slice(-around);
    return { kind: "same", text: `${head}…${tail}` };
  });
}
