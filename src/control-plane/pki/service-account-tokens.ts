import { createHash, type KeyObject, randomUUID, sign, verify } from 'node:crypto'

/** Whom a token stands for and what it is bound to. */
export interface ServiceAccountClaims {
  readonly namespace: string
  readonly serviceAccount: { readonly name: string; readonly uid: string }
  readonly pod?: { readonly name: string; readonly uid: string }
  readonly node?: { readonly name: string; readonly uid: string }
}

export interface VerifiedToken extends ServiceAccountClaims {
  /** `system:serviceaccount:<namespace>:<name>`. */
  readonly subject: string
  readonly audiences: readonly string[]
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number
  readonly id: string
}

/** Thrown for a token that does not hold. `code` is one of TokenErrorCode. */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode
  constructor(code: TokenErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export type TokenErrorCode = 'Malformed' | 'Algorithm' | 'Signature' | 'Issuer' | 'Audience' | 'Expired' | 'NotYetValid'

/**
 * A JSON Web Token (ES256) for a service account, as the TokenRequest API hands out.
 * Sources: RFC 7519, RFC 7518 section 3.4; claims as k8s.io/kubernetes pkg/serviceaccount.
 */
export function signServiceAccountToken(
  claims: ServiceAccountClaims,
  options: {
    readonly privateKey: KeyObject
    readonly keyId: string
    readonly issuer: string
    readonly audiences: readonly string[]
    readonly expirationSeconds: number
    readonly nowMs: number
    /** Default: a random UUID. */
    readonly id?: string
  },
): string {
  const now = Math.floor(options.nowMs / 1000)
  const payload = {
    aud: options.audiences,
    exp: now + options.expirationSeconds,
    iat: now,
    iss: options.issuer,
    jti: options.id ?? randomUUID(),
    'kubernetes.io': {
      namespace: claims.namespace,
      ...(claims.node ? { node: claims.node } : {}),
      ...(claims.pod ? { pod: claims.pod } : {}),
      serviceaccount: claims.serviceAccount,
    },
    nbf: now,
    sub: subjectOf(claims),
  }
  const text = `${encode({ alg: 'ES256', kid: options.keyId })}.${encode(payload)}`
  const signature = sign('sha256', Buffer.from(text), { key: options.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${text}.${signature.toString('base64url')}`
}

/**
 * Checks a token's algorithm, signature, issuer, audience and times. Whether its service account and pod still exist with
 * the same uid is the caller's to check.
 * @throws {TokenError}
 */
export function verifyServiceAccountToken(
  token: string,
  options: {
    readonly publicKey: KeyObject
    readonly issuer: string
    /** The token must be meant for at least one of these. */
    readonly audiences: readonly string[]
    readonly nowMs: number
  },
): VerifiedToken {
  const parts = token.length > MAX_LENGTH ? [] : token.split('.')
  const [header = '', payload = '', signature = ''] = parts
  if (parts.length !== 3) throw new TokenError('Malformed', 'a token has three parts')
  // the algorithm is ours to choose: `none` and every other are refused before anything else is read
  if (decode(header)['alg'] !== 'ES256') throw new TokenError('Algorithm', 'the token is not signed with ES256')
  const key = { key: options.publicKey, dsaEncoding: 'ieee-p1363' } as const
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) {
    throw new TokenError('Signature', 'the signature does not match')
  }
  return checkClaims(decode(payload), options)
}

/** The user a token stands for, as authentication reports it. Source: k8s.io/kubernetes pkg/serviceaccount UserInfo. */
export function serviceAccountUser(token: VerifiedToken): {
  readonly name: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
} {
  const extra: Record<string, readonly string[]> = { 'authentication.kubernetes.io/credential-id': [`JTI=${token.id}`] }
  for (const kind of ['pod', 'node'] as const) {
    const bound = token[kind]
    if (bound === undefined) continue
    extra[`authentication.kubernetes.io/${kind}-name`] = [bound.name]
    extra[`authentication.kubernetes.io/${kind}-uid`] = [bound.uid]
  }
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${token.namespace}`]
  return { name: token.subject, uid: token.serviceAccount.uid, groups, extra }
}

/** Names a public key in tokens: the SHA-256 of its SubjectPublicKeyInfo, base64url. */
export function serviceAccountKeyId(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

const MAX_LENGTH = 16 * 1024

interface Expected {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly nowMs: number
}

function checkClaims(claims: Record<string, unknown>, expected: Expected): VerifiedToken {
  const audiences = stringsOf(claims['aud'])
  const [exp, nbf] = [claims['exp'], claims['nbf']]
  if (claims['iss'] !== expected.issuer) throw new TokenError('Issuer', 'the token is from another issuer')
  if (!audiences.some((audience) => expected.audiences.includes(audience)))
    throw new TokenError('Audience', 'the token is meant for another audience')
  if (typeof exp !== 'number' || expected.nowMs >= exp * 1000) throw new TokenError('Expired', 'the token has expired')
  if (typeof nbf !== 'number' || expected.nowMs < nbf * 1000) throw new TokenError('NotYetValid', 'the token is not valid yet')
  const bound = objectOf(claims['kubernetes.io'])
  const account = referenceOf(bound['serviceaccount'])
  const namespace = bound['namespace']
  const id = claims['jti']
  if (account === undefined || typeof namespace !== 'string' || typeof id !== 'string')
    throw new TokenError('Malformed', 'the token names no service account')
  const [pod, node] = [referenceOf(bound['pod']), referenceOf(bound['node'])]
  const identity = { namespace, serviceAccount: account, ...(pod ? { pod } : {}), ...(node ? { node } : {}) }
  const subject = subjectOf(identity)
  if (claims['sub'] !== subject) throw new TokenError('Malformed', 'the subject is not the service account')
  return { ...identity, subject, audiences, expiresAtMs: exp * 1000, id }
}

function subjectOf(claims: ServiceAccountClaims): string {
  return `system:serviceaccount:${claims.namespace}:${claims.serviceAccount.name}`
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(part: string): Record<string, unknown> {
  try {
    return objectOf(JSON.parse(Buffer.from(part, 'base64url').toString()))
  } catch {
    throw new TokenError('Malformed', 'a part of the token is not JSON')
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function stringsOf(value: unknown): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.filter((item) => typeof item === 'string')
}

function referenceOf(value: unknown): { readonly name: string; readonly uid: string } | undefined {
  const { name, uid } = objectOf(value)
  return typeof name === 'string' && typeof uid === 'string' ? { name, uid } : undefined
}
