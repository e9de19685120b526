import type { MetricFamily } from "./exposition.ts";

/** Upper bounds in seconds. */
const BOUNDS = [0.005, 0.025, 0.1, 0.5, 2.5, 10] as const;

/** Counts answered requests. Labels come from the route table, never from what a stranger wrote, so their number is bounded. */
export class HttpMetrics {
  readonly #requests = new Map<string, { labels: Record<string, string>; count: number }>();
  readonly #buckets: number[] = BOUNDS.map(() => 0);
  #seconds = 0;
  #count = 0;

  /** @param route the route's id, or `none` */
  answered(route: string, method: string, status: number): void {
    const key = `${route} ${method} ${status}`;
    const known = this.#requests.get(key);
    if (known !== undefined) known.count += 1;
    else this.#requests.set(key, { labels: { route, method, status: String(status) }, count: 1 });
  }

  /** Only of answers that end by themselves: a stream lasts as long as its reader likes. */
  took(seconds: number): void {
    this.#seconds += seconds;
    this.#count += 1;
    BOUNDS.forEach((bound, at) => {
      if (seconds <= bound) this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
    });
  }

  families(): MetricFamily[] {
    return [
      {
        name: "sluice_http_requests_total",
        type: "counter",
        help: "Answered API requests",
        samples: [...this.#requests.values()].map(({ labels, count }) => ({ labels, value: count })),
      },
      {
        name: "sluice_http_request_duration_seconds",
        type: "histogram",
        help: "From the request's headers to the last byte of the answer, streams left out",
        samples: [
          ...BOUNDS.map((bound, at) => this.#bucket(String(bound), this.#buckets[at] ?? 0)),
          this.#bucket("+Inf", this.#count),
          { suffix: "_sum", value: this.#seconds },
          { suffix: "_count", value: this.#count },
        ],
      },
    ];
  }

  #bucket(le: string, value: number) {
    return { suffix: "_bucket", labels: { le }, value };
  }
}
