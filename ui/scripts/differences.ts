// Whether two catalogues of messages hold the same.

/** The names of the values in a message: `{n} {n|row|rows}` has `n`. */
export function values(message: string): string {
  return [...new Set([...message.matchAll(/\{(\w+)/g)].map((match) => match[1]))].sort().join(" ");
}

/** What is wrong between two catalogues, one sentence each. */
export function differences(en: Record<string, string>, zh: Record<string, string>): string[] {
  const missing = (from: Record<string, string>, to: Record<string, string>, name: string) =>
    Object.keys(from).filter((key) => !(key in to)).map((key) => `\`${key}\` is missing in ${name}`);
  const other = Object.keys(en).filter((key) => zh[key] !== undefined && values(en[key] ?? "") !== values(zh[key]));
  return [
    ...missing(en, zh, "zh.json"),
    ...missing(zh, en, "en.json"),
    ...other.map((key) => `\`${key}\` takes other values in zh.json than in en.json`),
  ];
}
