import { SAME_EVERYWHERE } from './stats.ts'

/** Series over all families; as a MetricTable has. */
const MAX_SERIES = 20_000

interface SumFamily {
  readonly kind: string
  readonly values: Map<string, number>
}

/**
 * Metrics of several processes as those of one: what counts is added up; gauges that say the same everywhere, such as how many endpoints a cluster has, are the
 * largest. Reads what MetricTable renders. Series beyond the bound are counted together, under `_overflow`.
 */
export class MetricSum {
  readonly #families = new Map<string, SumFamily>()
  readonly #maxSeries: number
  #series = 0

  /** @param maxSeries lines of values over all families; default 20,000 series, each of a histogram's lines being one */
  constructor(maxSeries: number = MAX_SERIES) {
    this.#maxSeries = maxSeries
  }

  /** @param text Prometheus text as MetricTable renders it @param without gauges: of a process that has ended only what it has counted remains */
  add(text: string, without?: 'gauges'): this {
    let family: SumFamily | undefined
    let isLargest = false
    for (const line of text.split('\n')) {
      if (line.startsWith('# TYPE ')) {
        const [, , name = '', kind = ''] = line.split(' ')
        isLargest = SAME_EVERYWHERE.has(name)
        family = without === 'gauges' && kind === 'gauge' ? undefined : this.#family(name, kind)
      } else if (family && line !== '' && !line.startsWith('#')) {
        const space = line.lastIndexOf(' ')
        const value = Number(line.slice(space + 1))
        if (space < 0 || Number.isNaN(value)) continue
        this.#count(family, line.slice(0, space), value, isLargest)
      }
    }
    return this
  }

  render(): string {
    const out: string[] = []
    for (const [name, { kind, values }] of this.#families) {
      if (values.size === 0) continue
      out.push(`# TYPE ${name} ${kind}\n`)
      for (const [series, value] of values) out.push(`${series} ${value}\n`)
    }
    return out.join('')
  }

  #family(name: string, kind: string): SumFamily {
    let family = this.#families.get(name)
    if (!family) this.#families.set(name, (family = { kind, values: new Map() }))
    return family
  }

  #count({ values }: SumFamily, series: string, value: number, isLargest: boolean): void {
    let key = series
    if (!values.has(key)) {
      if (this.#series >= this.#maxSeries) key = overflow(series)
      if (!values.has(key)) this.#series++
    }
    const before = values.get(key) ?? 0
    values.set(key, isLargest ? Math.max(before, value) : before + value)
  }
}

/** Bounds of buckets stay: a histogram of all that is over is one, too. */
const overflow = (series: string): string => series.replaceAll(/\b(?!le=)(\w+)="[^"]*"/g, '$1="_overflow"')
