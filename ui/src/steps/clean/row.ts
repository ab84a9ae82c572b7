// A row in one line.
import type { Row } from "../../host/types/Row";

/** What the person asks, or how the text to read begins. */
export function headOf(row: Row): string {
  const asked = row.messages.find((message) => message.role === "user") ?? row.messages[0];
  return (asked?.content ?? row.text).slice(0, 240);
}
