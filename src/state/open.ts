import type { SluiceError } from "../core/errors.ts";
import type { State } from "./state.ts";
import type { StateCopy } from "./state-copy.ts";

/** Which driver keeps the state, and where. */
export type StateConfig = {
  readonly driver: "sqlite";
  /** The database file; created 0600 in an existing folder. */
  readonly file: string;
  /** Removed when the disk is full, so that what frees space or ends jobs still commits; null or absent for none. */
  readonly reserveFile?: string | null;
  /** Called once when the database cannot be written any more (promise 1); it must end the process. Default: one line on stderr, exit 70. */
  readonly onFatal?: (error: SluiceError) => void;
};

/** Every driver joins here; a config value with no case does not compile. */
export async function openState(config: StateConfig): Promise<State> {
  switch (config.driver) {
    case "sqlite":
      return (await import("./drivers/sqlite.ts")).openSqliteState(config);
  }
}

/** Opens what `State.backup` of the driver wrote. @throws SluiceError BACKUP_INVALID */
export async function openStateCopy(driver: StateConfig["driver"], file: string): Promise<StateCopy> {
  switch (driver) {
    case "sqlite":
      return (await import("./drivers/sqlite/copy.ts")).openSqliteCopy(file);
  }
}
