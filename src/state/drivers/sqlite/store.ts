import { SluiceError } from "../../../core/errors.ts";
import { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { ServiceCache } from "./service-cache.ts";
import { isNoDatabase } from "./sqlite-error.ts";
import { Tally } from "./tally.ts";

/** What every transaction of the driver works on. One per worker thread; nothing else writes to the database. */
export interface Store {
  readonly db: Database;
  readonly tally: Tally;
  readonly services: ServiceCache;
}

/** Opens the database file, migrated. @throws SluiceError DATA_DIR_NEWER, DATA_DIR_INVALID */
export function openStore(file: string): Store {
  const db = openDatabase(file);
  try {
    migrate(db);
    return { db, tally: new Tally(db), services: new ServiceCache(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDatabase(file: string): Database {
  try {
    return new Database(file);
  } catch (error) {
    if (!isNoDatabase(error)) throw error;
    const message = `Cannot open the database "${file}": it is none (restore a backup, or choose another data directory)`;
    throw new SluiceError("DATA_DIR_INVALID", message, { cause: error });
  }
}
