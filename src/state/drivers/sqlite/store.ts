import { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import { ServiceCache } from "./service-cache.ts";
import { Tally } from "./tally.ts";

/** What every transaction of the driver works on. One per worker thread; nothing else writes to the database. */
export interface Store {
  readonly db: Database;
  readonly tally: Tally;
  readonly services: ServiceCache;
}

/** Opens the database file, migrated. @throws SluiceError DATA_DIR_NEWER, DATA_DIR_INVALID */
export function openStore(file: string): Store {
  const db = new Database(file);
  try {
    migrate(db);
    return { db, tally: new Tally(db), services: new ServiceCache(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}
