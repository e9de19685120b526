/** The flags of every command that talks to a server. */
export const SERVER_OPTIONS = {
  endpoint: { type: "string", value: "URL", help: "The server's API address (SLUICE_ENDPOINT)" },
  user: { type: "string", value: "NAME", help: "User name (SLUICE_ADMIN_USER)" },
  password: {
    type: "string",
    value: "WORD",
    help: "Its password; other users of this machine may see it, prefer SLUICE_ADMIN_PASSWORD",
  },
  token: { type: "string", value: "TOKEN", help: "A token instead of user and password (SLUICE_TOKEN)" },
  context: { type: "string", value: "NAME", help: "A server remembered by `sluice login`" },
  data: { type: "string", value: "DIR", help: "The server running on this data directory" },
} as const;

/** Their values. */
export type ServerFlags = { readonly [name in keyof typeof SERVER_OPTIONS]?: string | undefined };
