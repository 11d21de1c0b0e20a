import { open, readFile, rename, writeFile, type FileHandle } from 'node:fs/promises'
import type { FrontendState } from './frontend-state.ts'
import { slotsOf, type AppliedState, type Generation, type UpdatePlan } from './plan-update.ts'

/** Records and characters after which the file is written anew. */
const MAX_RECORDS = 5_000
const MAX_CHARS = 16 * 1024 * 1024

type Change = readonly [key: string, state: FrontendState | null]

interface Record {
  readonly shape?: string
  readonly generation: Generation
  readonly nextToken: number
  readonly frontends: readonly Change[]
  /** Addresses of AppliedState.hairpin; in the line with everything alone. */
  readonly hairpin?: readonly string[]
}

/**
 * What was last applied, on disk: one line with everything, then one for each transaction, written before it. So whatever generation the kernel
 * has, the lines up to it say what is in it; a process that dies in between leaves a line too many, which reading leaves out.
 */
export class AppliedJournal {
  readonly #path: string
  readonly #shape: string
  #file: FileHandle | undefined
  #records = 0
  #chars = 0
  /** A record is missing: what is written behind it would be taken for something else. */
  #hasGap = false

  /** @param shape of the tables; a journal of other tables is not read */
  constructor(path: string, shape: string) {
    this.#path = path
    this.#shape = shape
  }

  /** The states at a generation; undefined when they are not known. @param isOfNode see planUpdate */
  async load(generation: Generation, isOfNode: (address: string) => boolean): Promise<AppliedState | undefined> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined)
    if (text === undefined) return undefined
    const frontends = new Map<string, FrontendState>()
    const known = new Set<string>()
    let last: Record | undefined
    for (const line of text.split('\n')) {
      const record = parseRecord(line)
      if (!record || (!last && record.shape !== this.#shape)) break
      if (record.generation.epoch !== generation.epoch || record.generation.sequence > generation.sequence) break
      for (const address of record.hairpin ?? []) known.add(address)
      for (const [key, state] of record.frontends) {
        if (state) frontends.set(key, state)
        else frontends.delete(key)
        for (const { address } of slotsOf(state ?? undefined)) if (isOfNode(address)) known.add(address)
      }
      last = record
    }
    if (last?.generation.sequence !== generation.sequence) return undefined
    const hairpin = hairpinsOf(frontends, isOfNode)
    // those of before stay in the kernel: see planUpdate
    for (const address of known) if (!hairpin.has(address)) hairpin.set(address, 0)
    return { frontends, hairpin, nextToken: last.nextToken, generation }
  }

  /** Whether it has grown so long that it had better be written anew. */
  get isLong(): boolean {
    return this.#hasGap || this.#records > MAX_RECORDS || this.#chars > MAX_CHARS
  }

  /** Writes everything anew, to a file that takes the old one's place. */
  async replace(state: AppliedState): Promise<void> {
    this.#hasGap = true
    await this.close()
    const record: Record = {
      shape: this.#shape,
      generation: state.generation,
      nextToken: state.nextToken,
      frontends: [...state.frontends],
      hairpin: [...state.hairpin.keys()],
    }
    await writeFile(`${this.#path}.tmp`, `${JSON.stringify(record)}\n`, { mode: 0o600 })
    await rename(`${this.#path}.tmp`, this.#path)
    this.#records = 0
    this.#chars = 0
    this.#hasGap = false
  }

  /** To be called before the transaction. After an error nothing is appended any more until everything is written anew. */
  async append({ generation, nextToken, states }: UpdatePlan): Promise<void> {
    if (this.#hasGap) return
    this.#hasGap = true
    this.#file ??= await open(this.#path, 'a', 0o600)
    const record: Record = { generation, nextToken, frontends: states.map(([key, state]): Change => [key, state ?? null]) }
    const line = `${JSON.stringify(record)}\n`
    await this.#file.appendFile(line)
    this.#records++
    this.#chars += line.length
    this.#hasGap = false
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }
}

function parseRecord(line: string): Record | undefined {
  try {
    const record = JSON.parse(line) as Partial<Record> | null
    return record?.generation && Array.isArray(record.frontends) && record.nextToken !== undefined ? (record as Record) : undefined
  } catch {
    // the end of the file, or a line that was not written to its end
    return undefined
  }
}

function hairpinsOf(frontends: ReadonlyMap<string, FrontendState>, isOfNode: (address: string) => boolean): Map<string, number> {
  const counts = new Map<string, number>()
  for (const state of frontends.values()) {
    for (const { address } of slotsOf(state)) if (isOfNode(address)) counts.set(address, (counts.get(address) ?? 0) + 1)
  }
  return counts
}
