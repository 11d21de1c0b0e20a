import { StatusError, type StatusBody } from '../../../base/errors.ts'
import { badRequest } from './status-errors.ts'

/** Where a paged list goes on. Opaque to clients. */
export interface ContinueToken {
  /** The revision all pages show; -1n after a token expired: then pages show their own present. */
  readonly revision: bigint
  /** First key of the next page, without the prefix of the list. */
  readonly from: string
}

const VERSION = 'biplane/v1'

export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: VERSION, rv: String(token.revision), from: token.from })).toString('base64url')
}

/** @throws {StatusError} `BadRequest` for anything that `encodeContinue` did not make */
export function decodeContinue(text: string): ContinueToken {
  const fields = parse(text)
  if (fields['v'] !== VERSION) throw badRequest('continue key is not valid: unknown version')
  const { rv, from } = fields
  if (typeof rv !== 'string' || !/^(-1|[1-9]\d{0,18})$/.test(rv) || typeof from !== 'string' || from === '') {
    throw badRequest('continue key is not valid: incorrect encoding')
  }
  return { revision: BigInt(rv), from }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // falls through: the token is not ours
  }
  throw badRequest('continue key is not valid: it was not made by this server')
}

/**
 * 410: the pinned revision has been compacted. Its body carries a token with which the client may go on at the present
 * revision, giving up consistency. Source: k8s.io/apiserver etcd3.handleCompactedErrorForPaging.
 */
export class ExpiredContinueError extends StatusError {
  readonly #token: string

  constructor(from: string) {
    super('Expired', EXPIRED)
    this.#token = encodeContinue({ revision: -1n, from })
  }

  override toBody(): StatusBody {
    // ListMeta of a Status is empty for every other error
    return { ...super.toBody(), metadata: { continue: this.#token } as unknown as Record<string, never> }
  }
}

const EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, ' +
  'or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an ' +
  'inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'
