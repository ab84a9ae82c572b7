// The sizes that a model can be written in, and the names that Ollama takes.

/** Bits per weight as written, block scales included. */
export const sizes = [
  { quantize: "f16", bits: 16 },
  { quantize: "q8_0", bits: 8.5 },
] as const;

/** Whether Ollama, and a folder, can have this name. */
export function modelName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,62}$/.test(name);
}

/** A name made from the project's: `Lindenhof handbook` becomes `lindenhof-handbook`. */
export function slug(name: string): string {
  const plain = name.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return plain.slice(0, 40) || "my-model";
}
