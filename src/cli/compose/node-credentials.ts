import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { NodeIdentity } from '../../data-plane/node/api-sync/join.ts'
import { dataLayout } from './layout.ts'

export interface CredentialsOptions {
  readonly dataDir: string
  /** Of the node. */
  readonly name: string
  readonly clock: Clock
  readonly log: Logger
}

const LOOK_MS = 1_000
const RENEWED_MS = 60_000

/**
 * Runs `work` with the certificate that the agent of the node has got, as soon as there is one; anew when it is renewed. Ends with the
 * signal. `work` must end with its own.
 */
export async function withNodeCredentials(
  options: CredentialsOptions,
  work: (identity: NodeIdentity, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log } = options
  const path = join(dataLayout(options.dataDir).node(options.name).state, 'identity.json')
  let isTold = false
  while (!signal.aborted) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const identity = identityFrom(text)
    if (!identity) {
      if (!isTold) log.info('waiting for the certificate of the node', { path })
      isTold = true
      await sleep(clock, LOOK_MS, signal).catch(() => {})
      continue
    }
    const turn = new AbortController()
    const stop = (): void => turn.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const watch = async (): Promise<void> => {
      while (!turn.signal.aborted) {
        await sleep(clock, RENEWED_MS, turn.signal).catch(() => {})
        const now = await readFile(path, 'utf8').catch(() => text)
        if (now !== text && identityFrom(now)) turn.abort(new Error('the certificate of the node was renewed'))
      }
    }
    await Promise.all([work(identity, turn.signal), watch()])
    signal.removeEventListener('abort', stop)
  }
}

function identityFrom(text: string): NodeIdentity | undefined {
  try {
    const { certificate, privateKey } = JSON.parse(text) as Partial<NodeIdentity>
    return certificate && privateKey ? { certificate, privateKey } : undefined
  } catch {
    return undefined
  }
}
