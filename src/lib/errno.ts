/** The system's name of an error, such as `ENOENT`; empty for other errors. */
export function errno(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
