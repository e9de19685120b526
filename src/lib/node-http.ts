/** What the program uses of `node:http`, in place of an `import` of it: a module that imports a built-in one gets every export of it, and those
 *  of `node:http` include `WebSocket`, for which Node then loads a whole HTTP client (14 MB and 30 ms). */
export const { Agent, STATUS_CODES, createServer, request } = process.getBuiltinModule("node:http");
