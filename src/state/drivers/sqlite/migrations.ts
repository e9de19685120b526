import { initial } from "./migrations/0001-initial.ts";
import { versionsAndUploads } from "./migrations/0002-versions-and-uploads.ts";
import { storeCheck } from "./migrations/0003-store-check.ts";

/** One step of the schema. Its place in the list is its number, which the database keeps as `user_version`. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Every step in order. A step that was released never changes: the next change is a new one at the end. */
export const MIGRATIONS: readonly Migration[] = [
  { name: "0001-initial", sql: initial },
  { name: "0002-versions-and-uploads", sql: versionsAndUploads },
  { name: "0003-store-check", sql: storeCheck },
];
