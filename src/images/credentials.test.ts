import { describe, expect, it } from "vitest";
import { credentialsFor } from "./credentials.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const NONE = { allowed: [], run: () => Promise.reject(new Error("no helper may run")) };
const of = (file: object, registry: string, helpers: Parameters<typeof credentialsFor>[2] = NONE) =>
  credentialsFor(JSON.stringify(file), registry, helpers);

describe("credentials of a Docker config file", () => {
  it.each(["docker.io", "https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io"])(
    "Docker Hub is filed under %s",
    async (key) => {
      const file = { auths: { [key]: { auth: base64("ada:hu:sh") }, "other.example": { auth: base64("x:y") } } };
      expect(await of(file, "docker.io")).toEqual({ username: "ada", password: "hu:sh", identityToken: "" });
    },
  );

  it("finds a registry by its host and port", async () => {
    const file = { auths: { "https://registry.example:5000/v2/": { username: "ada", password: "hush" } } };
    expect(await of(file, "registry.example:5000")).toMatchObject({ username: "ada", password: "hush" });
    expect(await of(file, "registry.example")).toBeNull();
  });

  it("takes an identity token", async () => {
    const file = {
      auths: { "r.example": { auth: base64("00000000-0000-0000-0000-000000000000:"), identitytoken: "t" } },
    };
    expect(await of(file, "r.example")).toMatchObject({ identityToken: "t" });
  });

  it("knows nothing of an empty entry, as helpers leave", async () => {
    expect(await of({ auths: { "r.example": {} } }, "r.example")).toBeNull();
    expect(await of({}, "r.example")).toBeNull();
  });

  it("asks only the helpers that the operator named", async () => {
    const asked: string[] = [];
    const run = async (name: string, registry: string): Promise<string> => {
      asked.push(`${name} ${registry}`);
      return JSON.stringify({ Username: name === "lab" ? "ada" : "<token>", Secret: "s" });
    };
    const file = { credHelpers: { "r.example": "lab" }, credsStore: "desktop" };
    expect(await of(file, "r.example", { allowed: ["lab"], run })).toEqual({
      username: "ada",
      password: "s",
      identityToken: "",
    });
    expect(await of(file, "r.example", { allowed: [], run })).toBeNull();
    expect(await of(file, "docker.io", { allowed: ["desktop"], run })).toMatchObject({
      identityToken: "s",
      password: "",
    });
    expect(asked).toEqual(["lab r.example", "desktop https://index.docker.io/v1/"]);
    expect(await of(file, "r.example", { allowed: ["lab"], run: async () => "no credentials" })).toBeNull();
  });

  it.each(["{", "[]", '{"auths":5}'])("says of %j only that it is none", async (text) => {
    await expect(credentialsFor(`${text}secret`, "r.example", NONE)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.not.stringContaining("secret"),
    });
  });
});
