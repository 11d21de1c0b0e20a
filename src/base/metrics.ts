export type Labels = Readonly<Record<string, string>>

export interface Counter {
  inc(by?: number): void
}

export interface Gauge {
  set(value: number): void
  add(by: number): void
}

export interface Histogram {
  /** Seconds for durations, as Prometheus names say. */
  observe(value: number): void
}

interface Family<T> {
  /** The series of these label values; keep the handle, it is the fast path. */
  with(...values: string[]): T
}

/** Metrics of one process. Names and labels are upstream's, so that stock dashboards work. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Family<Counter>
  gauge(name: string, help: string, labels?: readonly string[]): Family<Gauge>
  histogram(name: string, help: string, labels?: readonly string[], buckets?: readonly number[]): Family<Histogram>
  /** Called before each render, to set gauges that are cheaper to read than to keep. */
  onRender(fn: () => void): void
  /** Prometheus text format 0.0.4. */
  render(): string
}

/** Seconds. Source: Prometheus client default buckets. */
export const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** Series one family may have; further label values are counted in one series whose labels are all `_overflow`. */
const MAX_SERIES = 2000

interface Series {
  readonly labels: string
  render(name: string): string
}

class Cell implements Counter, Gauge, Series {
  readonly labels: string
  value = 0
  constructor(labels: string) {
    this.labels = labels
  }
  inc(by = 1): void {
    this.value += by
  }
  add(by: number): void {
    this.value += by
  }
  set(value: number): void {
    this.value = value
  }
  render(name: string): string {
    return `${name}${braces(this.labels)} ${this.value}\n`
  }
}

class HistogramCell implements Histogram, Series {
  readonly labels: string
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0
  constructor(labels: string, bounds: readonly number[]) {
    this.labels = labels
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length + 1)
  }
  observe(value: number): void {
    let index = 0
    while (index < this.#bounds.length && value > (this.#bounds[index] as number)) index++
    this.#counts[index]! += 1
    this.#sum += value
  }
  render(name: string): string {
    let total = 0
    let text = ''
    for (let i = 0; i < this.#counts.length; i++) {
      total += this.#counts[i] as number
      const le = i < this.#bounds.length ? String(this.#bounds[i]) : '+Inf'
      text += `${name}_bucket${braces(this.labels ? `${this.labels},le="${le}"` : `le="${le}"`)} ${total}\n`
    }
    return `${text}${name}_sum${braces(this.labels)} ${this.#sum}\n${name}_count${braces(this.labels)} ${total}\n`
  }
}

class MetricFamily<T extends Series> implements Family<T> {
  readonly name: string
  readonly #head: string
  readonly #labels: readonly string[]
  readonly #make: (labels: string) => T
  readonly #series = new Map<string, T>()

  constructor(name: string, head: string, labels: readonly string[], make: (labels: string) => T) {
    this.name = name
    this.#head = head
    this.#labels = labels
    this.#make = make
  }

  with(...values: string[]): T {
    const key = values.length === 1 ? (values[0] as string) : values.join('\u0000')
    const found = this.#series.get(key)
    if (found) return found
    if (this.#series.size >= MAX_SERIES) {
      const overflow = this.#labels.map(() => '_overflow')
      return this.#series.get(overflow.join('\u0000')) ?? this.#add(overflow.join('\u0000'), overflow)
    }
    return this.#add(key, values)
  }

  #add(key: string, values: readonly string[]): T {
    const series = this.#make(this.#labels.map((label, i) => `${label}="${escape(values[i] ?? '')}"`).join(','))
    this.#series.set(key, series)
    return series
  }

  render(): string {
    let text = this.#head
    for (const series of this.#series.values()) text += series.render(this.name)
    return text
  }
}

/** An empty set of metrics. Declaring a name twice gives the same family. */
export function createMetrics(): Metrics {
  const families = new Map<string, MetricFamily<Cell> | MetricFamily<HistogramCell>>()
  const hooks: (() => void)[] = []
  const declare = <T extends Series>(
    type: string,
    name: string,
    help: string,
    labels: readonly string[],
    make: (labels: string) => T,
  ): MetricFamily<T> => {
    const found = families.get(name)
    if (found) return found as unknown as MetricFamily<T>
    const head = `# HELP ${name} ${help.replaceAll('\n', ' ')}\n# TYPE ${name} ${type}\n`
    const family = new MetricFamily(name, head, labels, make)
    families.set(name, family as unknown as MetricFamily<Cell>)
    return family
  }
  return {
    counter: (name, help, labels = []) => declare('counter', name, help, labels, (text) => new Cell(text)),
    gauge: (name, help, labels = []) => declare('gauge', name, help, labels, (text) => new Cell(text)),
    histogram: (name, help, labels = [], buckets = DEFAULT_BUCKETS) =>
      declare('histogram', name, help, labels, (text) => new HistogramCell(text, buckets)),
    onRender: (fn) => void hooks.push(fn),
    render() {
      for (const hook of hooks) hook()
      return [...families.values()].map((family) => family.render()).join('')
    },
  }
}

const braces = (labels: string): string => (labels ? `{${labels}}` : '')
const escape = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
