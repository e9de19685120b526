/** What checks of the store remember. Rules that the tables keep:
 *  - `damaged_blobs` names rows of `blobs`; it may name one that is gone meanwhile, and then means nothing;
 *  - `scrub` has one row from the first round on. */
export const storeCheck = `
CREATE TABLE damaged_blobs (blob INTEGER PRIMARY KEY, damage TEXT NOT NULL, found_at INTEGER NOT NULL);
CREATE TABLE scrub (id INTEGER PRIMARY KEY CHECK (id = 1), after INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER);
`;
