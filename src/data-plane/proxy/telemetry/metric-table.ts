export type MetricLabels = Readonly<Record<string, string>>

type Kind = 'counter' | 'gauge' | 'histogram'

interface Series {
  readonly labels: string
  readonly slot: number
}

interface Family {
  readonly kind: Kind
  readonly series: Map<string, Series>
  /** Blocks that have metrics of this name. */
  readonly members: Member[]
}

/** One metric of a layout, as its family knows it. */
interface Member {
  readonly layout: BlockLayout
  readonly offset: number
  /** Labels of the metric itself, before those of the block. */
  readonly labels: string
}

/**
 * Metrics that always come together, such as all those of a cluster. A block of them costs the memory of its numbers and one entry, where series cost an entry
 * and labels each.
 */
export class BlockLayout {
  /** Slot of each metric, from the first of the block. */
  readonly offsets: readonly number[]
  readonly width: number
  readonly metrics: readonly BlockMetric[]

  constructor(metrics: readonly BlockMetric[]) {
    this.metrics = metrics
    let width = 0
    this.offsets = metrics.map(({ kind }) => {
      const offset = width
      width += kind === 'histogram' ? HISTOGRAM_SLOTS : 1
      return offset
    })
    this.width = width
  }
}

export interface BlockMetric {
  readonly kind: Kind
  readonly name: string
  readonly labels?: MetricLabels
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
  /** First slots by labels. */
  readonly #blocks = new Map<BlockLayout, Map<string, number>>()
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

  /** @returns the first slot of a block; it counts as one series */
  block(layout: BlockLayout, labels: MetricLabels): number {
    let blocks = this.#blocks.get(layout)
    if (!blocks) {
      this.#blocks.set(layout, (blocks = new Map()))
      for (const [i, metric] of layout.metrics.entries()) {
        const own = labelText(metric.labels ?? {})
        this.#family(metric.kind, metric.name).members.push({ layout, offset: layout.offsets[i] as number, labels: own })
      }
    }
    const text = labelText(labels)
    const known = blocks.get(text)
    if (known !== undefined) return known
    const key = this.#series < this.#maxSeries ? text : overflowText(labels)
    const shared = blocks.get(key)
    if (shared !== undefined) return shared
    const slot = this.#take(layout.width)
    blocks.set(key, slot)
    this.#series++
    return slot
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
    const isMeant = (labels: string): boolean => labels.split(',').includes(wanted)
    for (const [name, { kind, series, members }] of this.#families) {
      for (const [key, { labels, slot }] of series) {
        if (!isMeant(labels)) continue
        this.#give(slot, kind === 'histogram' ? HISTOGRAM_SLOTS : 1)
        series.delete(key)
      }
      if (series.size === 0 && members.length === 0) this.#families.delete(name)
    }
    for (const [layout, blocks] of this.#blocks) {
      for (const [labels, slot] of blocks) {
        if (!isMeant(labels)) continue
        this.#give(slot, layout.width)
        blocks.delete(labels)
      }
    }
  }

  /** Prometheus text format 0.0.4. */
  render({ includeUnused = true, shows }: RenderOptions = {}): string {
    const out: string[] = []
    for (const [name, family] of this.#families) {
      if (shows && !shows(name)) continue
      const { kind } = family
      const lines = this.#seriesOf(family).flatMap((one) =>
        kind === 'histogram' ? this.#histogramLines(name, one, includeUnused) : this.#line(name, one, includeUnused),
      )
      if (lines.length > 0) out.push(`# TYPE ${name} ${kind}\n`, ...lines)
    }
    return out.join('')
  }

  #seriesOf({ series, members }: Family): Series[] {
    const all = [...series.values()]
    for (const { layout, offset, labels } of members) {
      for (const [own, slot] of this.#blocks.get(layout) ?? []) {
        all.push({ labels: labels === '' || own === '' ? labels + own : `${labels},${own}`, slot: slot + offset })
      }
    }
    return all
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
    const family = this.#family(kind, name)
    const text = labelText(labels)
    const known = family.series.get(text)
    if (known) return known.slot
    if (this.#series >= this.#maxSeries) {
      const overflow = overflowText(labels)
      const shared = family.series.get(overflow)
      return shared ? shared.slot : this.#add(family, overflow, width)
    }
    return this.#add(family, text, width)
  }

  #family(kind: Kind, name: string): Family {
    let family = this.#families.get(name)
    if (!family) this.#families.set(name, (family = { kind, series: new Map(), members: [] }))
    if (family.kind !== kind) throw new Error(`metric ${name} is a ${family.kind}, not a ${kind}`)
    return family
  }

  #take(width: number): number {
    return this.#free.get(width)?.pop() ?? this.#allocate(width)
  }

  #give(slot: number, width: number): void {
    this.values.fill(0, slot, slot + width)
    const free = this.#free.get(width) ?? []
    free.push(slot)
    this.#free.set(width, free)
    this.#series--
  }

  #add(family: Family, labels: string, width: number): number {
    const slot = this.#take(width)
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

const overflowText = (labels: MetricLabels): string => labelText(Object.fromEntries(Object.keys(labels).map((key) => [key, '_overflow'])))

/** A comma would make labels ambiguous to take apart here, and appears in no name of ours. */
function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n').replaceAll(',', ';')
}
