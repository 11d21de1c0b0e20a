export type MetricLabels = Readonly<Record<string, string>>

type Kind = 'counter' | 'gauge' | 'histogram'

interface Series {
  readonly labels: string
  readonly slot: number
}

interface Family {
  readonly kind: Kind
  readonly series: Map<string, Series>
}

/** Upper bounds in milliseconds. Source: Envoy, default histogram buckets. */
export const BUCKETS_MS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
]

/** Behind the buckets: one for what is longer, one for the sum. */
const HISTOGRAM_SLOTS = BUCKETS_MS.length + 2

/** Which series are shown. */
export interface RenderOptions {
  /** Series that never moved too. Default true. */
  readonly includeUnused?: boolean
  /** By the name of the family. */
  readonly shows?: (name: string) => boolean
}

/**
 * Numbers of a proxy: one array, a slot for each series. Hold a slot and count by it; looking one up is for when configuration changes. Series beyond the
 * bound are counted together, under `_overflow`.
 */
export class MetricTable {
  /** Only for reading; replaced as it grows. */
  values: Float64Array = new Float64Array(1_024)
  readonly #families = new Map<string, Family>()
  readonly #free = new Map<number, number[]>()
  readonly #maxSeries: number
  #series = 0
  #end = 0

  /** @param maxSeries over all families; default 20,000 */
  constructor(maxSeries = 20_000) {
    this.#maxSeries = maxSeries
  }

  get series(): number {
    return this.#series
  }

  counter(name: string, labels: MetricLabels = {}): number {
    return this.#slot('counter', name, labels, 1)
  }

  gauge(name: string, labels: MetricLabels = {}): number {
    return this.#slot('gauge', name, labels, 1)
  }

  histogram(name: string, labels: MetricLabels = {}): number {
    return this.#slot('histogram', name, labels, HISTOGRAM_SLOTS)
  }

  inc(slot: number): void {
    this.values[slot]! += 1
  }

  add(slot: number, by: number): void {
    this.values[slot]! += by
  }

  set(slot: number, value: number): void {
    this.values[slot] = value
  }

  /** @param ms milliseconds */
  observe(slot: number, ms: number): void {
    let bucket = 0
    while (bucket < BUCKETS_MS.length && ms > (BUCKETS_MS[bucket] as number)) bucket++
    const { values } = this
    values[slot + bucket]! += 1
    values[slot + BUCKETS_MS.length + 1]! += ms
  }

  /** Forgets all series that have a label, such as those of a cluster that is gone; their slots are used again. */
  release(label: string, value: string): void {
    const wanted = `${label}="${escape(value)}"`
    for (const [name, { kind, series }] of this.#families) {
      for (const [key, { labels, slot }] of series) {
        if (!labels.split(',').includes(wanted)) continue
        const width = kind === 'histogram' ? HISTOGRAM_SLOTS : 1
        this.values.fill(0, slot, slot + width)
        const free = this.#free.get(width) ?? []
        free.push(slot)
        this.#free.set(width, free)
        series.delete(key)
        this.#series--
      }
      if (series.size === 0) this.#families.delete(name)
    }
  }

  /** Prometheus text format 0.0.4. */
  render({ includeUnused = true, shows }: RenderOptions = {}): string {
    const out: string[] = []
    for (const [name, { kind, series }] of this.#families) {
      if (shows && !shows(name)) continue
      const lines = [...series.values()].flatMap((one) =>
        kind === 'histogram' ? this.#histogramLines(name, one, includeUnused) : this.#line(name, one, includeUnused),
      )
      if (lines.length > 0) out.push(`# TYPE ${name} ${kind}\n`, ...lines)
    }
    return out.join('')
  }

  #line(name: string, { labels, slot }: Series, includeUnused: boolean): string[] {
    const value = this.values[slot] as number
    return value === 0 && !includeUnused ? [] : [`${name}${labels === '' ? '' : `{${labels}}`} ${value}\n`]
  }

  #histogramLines(name: string, { labels, slot }: Series, includeUnused: boolean): string[] {
    const before = labels === '' ? '' : `${labels},`
    const lines: string[] = []
    let total = 0
    for (let i = 0; i <= BUCKETS_MS.length; i++) {
      total += this.values[slot + i] as number
      lines.push(`${name}_bucket{${before}le="${i < BUCKETS_MS.length ? BUCKETS_MS[i] : '+Inf'}"} ${total}\n`)
    }
    if (total === 0 && !includeUnused) return []
    const braces = labels === '' ? '' : `{${labels}}`
    lines.push(`${name}_sum${braces} ${this.values[slot + BUCKETS_MS.length + 1]}\n`, `${name}_count${braces} ${total}\n`)
    return lines
  }

  #slot(kind: Kind, name: string, labels: MetricLabels, width: number): number {
    let family = this.#families.get(name)
    if (!family) this.#families.set(name, (family = { kind, series: new Map() }))
    if (family.kind !== kind) throw new Error(`metric ${name} is a ${family.kind}, not a ${kind}`)
    const text = labelText(labels)
    const known = family.series.get(text)
    if (known) return known.slot
    if (this.#series >= this.#maxSeries) {
      const overflow = labelText(Object.fromEntries(Object.keys(labels).map((key) => [key, '_overflow'])))
      const shared = family.series.get(overflow)
      return shared ? shared.slot : this.#add(family, overflow, width)
    }
    return this.#add(family, text, width)
  }

  #add(family: Family, labels: string, width: number): number {
    const slot = this.#free.get(width)?.pop() ?? this.#allocate(width)
    family.series.set(labels, { labels, slot })
    this.#series++
    return slot
  }

  #allocate(width: number): number {
    const slot = this.#end
    this.#end += width
    if (this.#end > this.values.length) {
      const larger = new Float64Array(Math.max(this.values.length * 2, this.#end))
      larger.set(this.values)
      this.values = larger
    }
    return slot
  }
}

function labelText(labels: MetricLabels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(value)}"`)
    .join(',')
}

/** A comma would make labels ambiguous to take apart here, and appears in no name of ours. */
function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll(',', ';')
}
