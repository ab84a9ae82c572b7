// What was noticed about a file, in the window's language where the code is known, else as the reader said it.
import type { Issue } from "../../host/types/Issue";
import { language, t, word } from "../../words/words.svelte";

/** The sentence of an issue. */
export function issueTold(issue: Issue): string {
  return language() === "en" ? issue.message : word(`issue_${issue.code}`, issue.message);
}

/** What to do about it. */
export function issueHint(issue: Issue): string {
  return language() === "en" ? issue.hint : word(`issue_${issue.code}_hint`, issue.hint);
}

/** Where it is: `page 3`, `line 17, column answer`, `sheet Prices, line 1`, `slide 4`. */
export function issuePlace(issue: Issue): string {
  if (language() === "en") return issue.place;
  const parts = issue.place.split(", ").map((part) => {
    const [, kind, name] = /^(page|line|column|sheet|slide)s? (.+)$/.exec(part) ?? [];
    if (kind === "page" && name) return t("place_page", { n: name });
    if (kind === "slide" && name) return t("place_slide", { n: name });
    if (kind === "line" && name) return t("place_line", { n: name });
    if (kind === "sheet" && name) return t("place_sheet", { name });
    return kind && name ? t("place_column", { name }) : part;
  });
  return parts.join(t("comma"));
}
