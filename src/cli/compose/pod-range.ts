import { readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { platform } from 'node:os'
import type { Logger } from '../../base/log.ts'

export interface PodRange {
  readonly cidr: string
  release(): Promise<void>
}

/** 127.64.0.0 to 127.64.253.0. */
const RANGES = 254

/**
 * A /24 of loopback addresses for a node's pods that no other running node of this machine has: the one it had before, else one made
 * from where it keeps its state, else the next free one. The claim ends with the process. It is a socket in Linux' abstract
 * namespace, which is as wide as the loopback network itself: that of the network namespace.
 */
export async function claimPodRange(options: {
  /** Where the choice is kept. */
  readonly file: string
  /** Given by the user: not claimed. */
  readonly podCidr?: string
  readonly log: Logger
}): Promise<PodRange> {
  if (options.podCidr !== undefined) return { cidr: options.podCidr, release: () => Promise.resolve() }
  const kept = /^127\.64\.(\d+)\.0\/24$/.exec((await readFile(options.file, 'utf8').catch(() => '')).trim())?.[1]
  const first = kept === undefined ? hashOf(options.file) % RANGES : Number(kept)
  for (let tried = 0; tried < RANGES; tried++) {
    const index = (first + tried) % RANGES
    const release = await claim(index)
    if (!release) continue
    const cidr = `127.64.${index}.0/24`
    if (kept !== undefined && tried > 0)
      options.log.warn("another node of this machine uses this node's pod addresses; new pods get others", { cidr })
    await writeFile(`${options.file}.tmp`, `${cidr}\n`, { mode: 0o600 })
    await rename(`${options.file}.tmp`, options.file)
    return { cidr, release }
  }
  throw new Error('all pod address ranges of this machine are in use by other nodes: stop one, or pass a pod CIDR of your own')
}

/** @returns what gives the range back, or undefined when another process has it */
function claim(index: number): Promise<(() => Promise<void>) | undefined> {
  const server = createServer((socket) => socket.destroy())
  const release = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
  if (platform() !== 'linux') return Promise.resolve(() => Promise.resolve())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)))
    server.listen({ path: `\0biplane-pods-127.64.${index}` }, () => {
      server.unref()
      resolve(release)
    })
  })
}

function hashOf(text: string): number {
  let hash = 0
  for (const char of text) hash = (hash * 31 + char.charCodeAt(0)) >>> 0
  return hash
}
