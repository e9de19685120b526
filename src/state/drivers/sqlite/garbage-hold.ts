/** Keeps the sweeper from files that a backup will link: while somebody holds, there is no garbage. Garbage that was named before lay in no
 *  row when the copy of the database was made, so that no copy names it. */
export class GarbageHold {
  #holders = 0;

  /** Returns the way to let go, which counts once. */
  take(): () => void {
    this.#holders += 1;
    let held = true;
    return () => {
      if (held) this.#holders -= 1;
      held = false;
    };
  }

  async unlessHeld(read: () => Promise<string[]>): Promise<string[]> {
    return this.#holders > 0 ? [] : read();
  }
}
