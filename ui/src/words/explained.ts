// Errors in the window's language. The program's own sentence names the file and the place in English; in Chinese the
// code says what kind of thing happened and what to do, and the sentence follows.
import type { AppError } from "../host/types/AppError";
import { language, t, word } from "./words.svelte";

/** An error as the window shows it. `about` names the message of an error's code in work that has its own words for it. */
export function explained(error: AppError, about?: (code: string) => string): AppError {
  if (language() === "en") return error;
  const own = about?.(error.code) ?? "";
  const what = word(own, t(`error_${error.code}`));
  return {
    ...error,
    message: what,
    hint: word(`${own}_hint`, t(`error_${error.code}_hint`)),
    detail: [error.message, error.hint, error.detail].filter(Boolean).join("\n"),
  };
}
