// Every word of the window, in the language that is chosen. A missing message is an error for svelte-check (here) and
// for the build (scripts/messages.ts).
import en from "../../messages/en.json";
import zh from "../../messages/zh.json";

export type Key = keyof typeof en & keyof typeof zh;
export type Language = "en" | "zh";
export type Values = Record<string, string | number>;

const catalogues: Record<Language, Record<Key, string>> = {
  en: en satisfies Record<keyof typeof zh, string>,
  zh: zh satisfies Record<keyof typeof en, string>,
};

let chosen = $state<Language>("en");
const plural = new Intl.PluralRules("en");

/** The language in use. */
export function language(): Language {
  return chosen;
}

/** Changes the language of every word on the screen at once. */
export function speak(next: Language): void {
  chosen = next;
  if (typeof document !== "undefined") document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
}

/** The language that the desktop asks for. */
export function desktopLanguage(): Language {
  return typeof navigator !== "undefined" && navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** The BCP 47 tag for `Intl`. */
export function locale(): string {
  return chosen === "zh" ? "zh-CN" : "en-GB";
}

/**
 * A message. `{n}` is a value (numbers are written the language's way); `{n|row|rows}` picks by the count `n`;
 * `**word**` is strong where a `Rich` part shows it.
 */
export function t(key: Key, values: Values = {}): string {
  return catalogues[chosen][key].replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name, one, other) => {
    const value = values[name];
    if (value === undefined) return whole;
    if (one !== undefined) return plural.select(Number(value)) === "one" ? one : other;
    return typeof value === "number" ? new Intl.NumberFormat(locale()).format(value) : value;
  });
}

/** A message whose key is made at run time; the key itself where there is none. */
export function word(key: string, otherwise = key): string {
  return key in en ? t(key as Key) : otherwise;
}
