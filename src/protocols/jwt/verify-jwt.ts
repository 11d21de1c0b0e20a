import { constants, verify, type KeyObject } from 'node:crypto'
import type { JwkKey } from './jwk-set.ts'

export type JwtErrorCode =
  | 'Malformed'
  | 'UnknownAlgorithm'
  | 'UnknownKey'
  | 'BadSignature'
  | 'Expired'
  | 'NotYetValid'
  | 'BadIssuer'
  | 'BadAudience'

/** Why a token is not believed. The message never holds the token. */
export class JwtError extends Error {
  override readonly name = 'JwtError'
  readonly code: JwtErrorCode

  constructor(code: JwtErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface ParsedJwt {
  readonly header: { readonly alg: string; readonly kid?: string }
  readonly claims: Readonly<Record<string, unknown>>
  /** What is signed, and the signature. */
  readonly signed: string
  readonly signature: Buffer
}

export interface JwtExpectation {
  readonly issuer: string
  /** One must be in the token; empty: any. */
  readonly audiences: readonly string[]
  readonly nowMs: number
  /** Default 60,000: Envoy's. */
  readonly clockSkewMs?: number
}

const MAX_BYTES = 16_384
const PART = /^[A-Za-z0-9_-]+$/

/** Takes a compact JWS apart without believing it. Source: RFC 7515 section 3.1, RFC 7519. @throws {JwtError} `Malformed` */
export function parseJwt(token: string): ParsedJwt {
  if (token.length > MAX_BYTES) throw new JwtError('Malformed', `the token is longer than ${MAX_BYTES} bytes`)
  const parts = token.split('.')
  const [head = '', body = '', signature = ''] = parts
  if (parts.length !== 3 || !parts.every((part) => PART.test(part)))
    throw new JwtError('Malformed', 'the token is not three base64url parts')
  const header = objectOf(head)
  const claims = objectOf(body)
  if (!header || !claims) throw new JwtError('Malformed', 'a part of the token is no JSON object')
  // RFC 7515 4.1.11: who does not know what is critical must refuse
  if (header['crit'] !== undefined) throw new JwtError('Malformed', 'the token has critical extensions, none is known')
  if (typeof header['alg'] !== 'string') throw new JwtError('Malformed', 'the token names no algorithm')
  const kid = header['kid']
  return {
    header: { alg: header['alg'], ...(typeof kid === 'string' ? { kid } : {}) },
    claims,
    signed: `${head}.${body}`,
    signature: Buffer.from(signature, 'base64url'),
  }
}

/**
 * Checks signature, issuer, audience and times. Keys with the token's `kid` are tried, or all where the token names none.
 * Sources: RFC 7515, RFC 7518, RFC 7519, RFC 8725 (algorithms are bound to the type of the key; `none` and HMAC are never accepted).
 * @returns the claims @throws {JwtError}
 */
export function verifyJwt(token: ParsedJwt, keys: readonly JwkKey[], expected: JwtExpectation): Readonly<Record<string, unknown>> {
  const { header, claims } = token
  const algorithm = ALGORITHMS.get(header.alg)
  if (!algorithm) throw new JwtError('UnknownAlgorithm', `algorithm "${header.alg.slice(0, 20)}" is not accepted`)
  const candidates = keys.filter(
    ({ kid, alg, key }) =>
      (header.kid === undefined || kid === undefined || kid === header.kid) && (alg ?? header.alg) === header.alg && algorithm.fits(key),
  )
  if (candidates.length === 0) throw new JwtError('UnknownKey', 'no key of the set can have signed the token')
  const data = Buffer.from(token.signed)
  if (!candidates.some(({ key }) => algorithm.check(data, key, token.signature)))
    throw new JwtError('BadSignature', 'the signature does not hold')
  checkClaims(claims, expected)
  return claims
}

function checkClaims(claims: Readonly<Record<string, unknown>>, expected: JwtExpectation): void {
  const { issuer, audiences, nowMs, clockSkewMs = 60_000 } = expected
  if (claims['iss'] !== issuer) throw new JwtError('BadIssuer', 'the token is of another issuer')
  const named = typeof claims['aud'] === 'string' ? [claims['aud']] : Array.isArray(claims['aud']) ? claims['aud'] : []
  if (audiences.length > 0 && !audiences.some((audience) => named.includes(audience)))
    throw new JwtError('BadAudience', 'the token is for another audience')
  for (const claim of ['exp', 'nbf', 'iat']) {
    if (claims[claim] !== undefined && typeof claims[claim] !== 'number') throw new JwtError('Malformed', `claim "${claim}" is no number`)
  }
  const { exp, nbf } = claims as { readonly exp?: number; readonly nbf?: number }
  if (exp !== undefined && nowMs - clockSkewMs >= exp * 1000) throw new JwtError('Expired', 'the token has expired')
  if (nbf !== undefined && nowMs + clockSkewMs < nbf * 1000) throw new JwtError('NotYetValid', 'the token is not valid yet')
}

function objectOf(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

interface Algorithm {
  fits(key: KeyObject): boolean
  check(data: Buffer, key: KeyObject, signature: Buffer): boolean
}

const rsa = (hash: string, pss: boolean): Algorithm => ({
  fits: (key) => key.asymmetricKeyType === 'rsa' || (pss && key.asymmetricKeyType === 'rsa-pss'),
  check: (data, key, signature) =>
    verify(
      hash,
      data,
      pss ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } : key,
      signature,
    ),
})

const ecdsa = (hash: string, namedCurve: string): Algorithm => ({
  fits: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === namedCurve,
  // JWS has the two numbers beside each other, not in DER (RFC 7518 section 3.4)
  check: (data, key, signature) => verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature),
})

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['RS256', rsa('sha256', false)],
  ['RS384', rsa('sha384', false)],
  ['RS512', rsa('sha512', false)],
  ['PS256', rsa('sha256', true)],
  ['PS384', rsa('sha384', true)],
  ['PS512', rsa('sha512', true)],
  ['ES256', ecdsa('sha256', 'prime256v1')],
  ['ES384', ecdsa('sha384', 'secp384r1')],
  ['ES512', ecdsa('sha512', 'secp521r1')],
  [
    'EdDSA',
    {
      fits: (key) => key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType === 'ed448',
      check: (data, key, signature) => verify(null, data, key, signature),
    },
  ],
])
