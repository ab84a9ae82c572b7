// Numbers as people read them: with a unit, in the language that is chosen. Pure functions of their arguments otherwise.
import { locale, t } from "./words.svelte";

/** `6.1 GB`, `38 MB`: decimal units, as disks and shops count. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = count;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit < 2 || value >= 100 || (unit === 2 && value >= 10) ? 0 : 1;
  return `${number(value, digits)} ${units[unit]}`;
}

/** `5.2`, `1,083`. */
export function number(value: number, digits = 0): string {
  const text = new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return text.format(value).replace("-", "−");
}

/** `+34`, `−7`, `0`. */
export function signed(value: number, digits = 0): string {
  const text = number(value, digits);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** `69 %`, from a share between 0 and 1. */
export function percent(share: number, digits = 0): string {
  return `${number(share * 100, digits)} %`;
}

/** `40 s`, `46 min`, `2 h 10 min`, `3 days`. */
export function duration(seconds: number): string {
  if (seconds < 90) return t("unit_seconds", { n: Math.max(1, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return t("unit_minutes", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 36) return t("unit_hours", { n: hours, m: minutes % 60 });
  return t("unit_days", { n: Math.round(hours / 24) });
}

/** `15:42`. */
export function clock(time: Date): string {
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", hour12: false }).format(time);
}

/** `today, 15:42` or `12 November`. */
export function day(time: Date, now = new Date()): string {
  if (time.toDateString() === now.toDateString()) return t("today_at", { time: clock(time) });
  const year = time.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return new Intl.DateTimeFormat(locale(), { day: "numeric", month: "long", ...year }).format(time);
}

/** The last part of a path, whichever way its slashes lean. */
export function fileName(path: string): string {
  return path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
}

/** `page 61`, `pages 61 to 63`. */
export function pagesTold([from, to]: [number, number]): string {
  return from === to ? t("page", { n: from }) : t("pages", { from, to });
}
