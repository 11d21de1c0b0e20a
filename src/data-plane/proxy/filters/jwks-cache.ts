import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { JwtProvider } from '../../../policy/traffic/model/index.ts'
import { parseJwks, type JwkKey } from '../../../protocols/jwt/index.ts'

/** Gets a document through a cluster. @throws what went wrong */
export type FetchText = (request: { readonly cluster: string; readonly uri: string; readonly timeoutMs: number }) => Promise<string>

/** Keys of one provider. */
export interface JwksSource {
  /** The keys; waits for the first ones. @throws Error while there are none */
  keys(): Promise<readonly JwkKey[]>
  /** A token named a key that is not there: they may have been changed. Resolves when they have been asked for again, at most once in a while. */
  refresh(): Promise<void>
  close(): void
}

/** A set that could not be had is asked for again after this time; a token with an unknown key makes it be asked for no more often. */
const AGAIN_MS = 5_000

/**
 * Keys given with the configuration, or fetched, kept for `cacheMs` and fetched again when that is over, unless nobody has asked for them since: then with the
 * next request. What was fetched last goes on counting while nobody answers.
 */
export function openJwks(provider: JwtProvider, parts: { readonly fetch: FetchText; readonly clock: Clock }): JwksSource {
  if (provider.jwks !== undefined) {
    const keys = Promise.resolve(provider.jwks).then(parseJwks)
    keys.catch(() => {})
    return { keys: () => keys, refresh: () => Promise.resolve(), close: () => {} }
  }
  const remote = provider.remoteJwks
  if (!remote)
    return {
      keys: () => Promise.reject(new Error(`provider ${provider.name} has no keys`)),
      refresh: () => Promise.resolve(),
      close: () => {},
    }
  const { clock } = parts
  let held: readonly JwkKey[] | undefined
  let problem = 'they have not been fetched yet'
  let lastAtMs = Number.NEGATIVE_INFINITY
  let fetching: Promise<void> | undefined
  let timer: Timer | undefined
  let closed = false
  /** Somebody has asked since they were fetched. */
  let isUsed = false
  /** Too old, and not fetched again. */
  let isStale = false

  const fetchNow = (): Promise<void> => {
    timer?.cancel()
    lastAtMs = clock.monotonic()
    isUsed = isStale = false
    fetching ??= parts
      .fetch(remote)
      .then((text) => {
        held = parseJwks(text)
        schedule(remote.cacheMs)
      })
      .catch((error: unknown) => {
        problem = messageOf(error)
        schedule(AGAIN_MS)
      })
      .finally(() => (fetching = undefined))
    return fetching
  }
  const schedule = (afterMs: number): void => {
    timer?.cancel()
    if (closed) isStale = true
    else
      timer = clock.after(afterMs, () => {
        if (isUsed) void fetchNow()
        else isStale = true
      })
  }
  return {
    async keys() {
      isUsed = true
      if (!held || isStale) await (fetching ?? (clock.monotonic() - lastAtMs >= AGAIN_MS ? fetchNow() : undefined))
      if (!held) throw new Error(`the keys of provider ${provider.name} cannot be had: ${problem}`)
      return held
    },
    async refresh() {
      if (clock.monotonic() - lastAtMs >= AGAIN_MS) await fetchNow()
    },
    close() {
      closed = isStale = true
      timer?.cancel()
    },
  }
}
