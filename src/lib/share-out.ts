/** Gives each what it wants, one in turn, until there is no more: who asks for much leaves something to the others.
 *  @param wanted whole numbers, 0 or more @returns what each gets, in the same order */
export function shareOut(wanted: readonly number[], room: number): number[] {
  const shares = wanted.map(() => 0);
  for (let left = room; ; ) {
    const asking = wanted.flatMap((count, at) => ((shares[at] ?? 0) < count ? [at] : [])).slice(0, left);
    if (asking.length === 0) return shares;
    for (const at of asking) shares[at] = (shares[at] ?? 0) + 1;
    left -= asking.length;
  }
}
