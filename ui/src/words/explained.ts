// Errors in the window's language. The program's own sentence names the file and the place in English; in Chinese the
// code says what kind of thing happened and what to do, and the sentence follows.
import type { AppError } from "../host/types/AppError";
import { language, t } from "./words.svelte";

/** An error as the window shows it. */
export function explained(error: AppError): AppError {
  if (language() === "en") return error;
  const what = t(`error_${error.code}`);
  return {
    ...error,
    message: what,
    hint: t(`error_${error.code}_hint`),
    detail: [error.message, error.hint, error.detail].filter(Boolean).join("\n"),
  };
}
