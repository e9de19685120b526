/** The two clocks: `now` is UTC ms for records, `monotonicMs` never goes back and is for deadlines and durations. */
export interface Clock {
  now(): number;
  monotonicMs(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
};
