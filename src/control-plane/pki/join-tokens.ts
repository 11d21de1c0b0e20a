import { randomInt } from 'node:crypto'
import type { Clock } from '../../base/clock.ts'
import { readIfPresent, writePrivateFile } from './key-files.ts'

/** A token in kubeadm's form, `<id>.<secret>`. The id may be shown, the secret may not. */
export interface JoinToken {
  /** Six of a-z0-9. */
  readonly id: string
  /** Sixteen of a-z0-9. */
  readonly secret: string
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number
}

export interface JoinTokens {
  /** @param options `ttlMs` default 24 hours; 0 is for ever */
  create(options?: { readonly ttlMs?: number }): Promise<JoinToken>
  /** The token with this id unless it has expired: what `createAuthenticator` asks for. */
  lookup(id: string): Promise<JoinToken | undefined>
  /** Those that have not expired. */
  list(): Promise<readonly JoinToken[]>
  /** @returns whether there was one */
  revoke(id: string): Promise<boolean>
}

/** The text that a user copies to the machine that joins. */
export function formatJoinToken(token: JoinToken): string {
  return `${token.id}.${token.secret}`
}

const DAY_MS = 24 * 60 * 60 * 1000
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

/**
 * Join tokens in a private file. The file is read anew each time, so that a command in another process can add one to a
 * running control plane. Expired tokens are dropped with the next change.
 */
export function createJoinTokens(
  path: string,
  options: { readonly clock: Clock; readonly randomIndex?: (limit: number) => number },
): JoinTokens {
  const { clock, randomIndex = randomInt } = options
  const word = (length: number): string => Array.from({ length }, () => ALPHABET[randomIndex(ALPHABET.length)]).join('')
  const read = async (): Promise<readonly JoinToken[]> => {
    const text = await readIfPresent(path)
    return text === undefined ? [] : parseTokens(text, path).filter((token) => (token.expiresAtMs ?? Infinity) > clock.now())
  }
  const write = (tokens: readonly JoinToken[]): Promise<void> => writePrivateFile(path, `${JSON.stringify(tokens, null, 2)}\n`)
  return {
    async create({ ttlMs = DAY_MS } = {}) {
      const expires = ttlMs === 0 ? {} : { expiresAtMs: clock.now() + ttlMs }
      const token: JoinToken = { id: word(6), secret: word(16), ...expires }
      await write([...(await read()), token])
      return token
    },
    async lookup(id) {
      return (await read()).find((token) => token.id === id)
    },
    list: read,
    async revoke(id) {
      const tokens = await read()
      const left = tokens.filter((token) => token.id !== id)
      if (left.length === tokens.length) return false
      await write(left)
      return true
    },
  }
}

function parseTokens(text: string, path: string): readonly JoinToken[] {
  const tokens: unknown = JSON.parse(text)
  if (!Array.isArray(tokens)) throw new Error(`${path} holds no list of join tokens: remove it`)
  return tokens.filter(isToken)
}

function isToken(value: unknown): value is JoinToken {
  if (typeof value !== 'object' || value === null) return false
  const { id, secret, expiresAtMs } = value as Partial<Record<string, unknown>>
  return (
    typeof id === 'string' &&
    /^[a-z0-9]{6}$/.test(id) &&
    typeof secret === 'string' &&
    /^[a-z0-9]{16}$/.test(secret) &&
    ['number', 'undefined'].includes(typeof expiresAtMs)
  )
}
