import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import { StatusError } from '../../../base/errors.ts'
import type { UserInfo } from '../contract.ts'
import type { ClientCertificate } from './client-certificate.ts'

/** What a client shows. */
export interface Credentials {
  readonly certificate?: ClientCertificate
  readonly bearerToken?: string
}

export interface Authenticator {
  /**
   * Who it is, always in group `system:authenticated`; undefined when there are no credentials at all.
   * @throws {StatusError} `Unauthorized` when what was shown does not hold
   */
  authenticate(credentials: Credentials): Promise<UserInfo | undefined>
  /** Who a bearer token stands for; undefined when for nobody. */
  authenticateToken(token: string): Promise<UserInfo | undefined>
}

/** A token and whom it stands for. */
export interface StaticToken {
  readonly token: string
  readonly user: UserInfo
}

/** The secret half of a join token and its end; found by the public half. */
export interface BootstrapToken {
  readonly secret: string
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number
}

export interface AuthenticatorOptions {
  readonly clock: Clock
  /** See `parseTokenFile`. */
  readonly tokens?: readonly StaticToken[]
  /** Join tokens `<id>.<secret>`: the user is `system:bootstrap:<id>` in group `system:bootstrappers`. */
  readonly bootstrapToken?: (id: string) => Promise<BootstrapToken | undefined>
  /** Verifies a token that looks like a JWT. Undefined: not one of ours, expired, or its service account is gone. */
  readonly verifyServiceAccountToken?: (token: string) => Promise<UserInfo | undefined>
}

/** Client certificates first, then bearer tokens: static, join, service account. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const tokens = new Map((options.tokens ?? []).map(({ token, user }) => [digest(token).toString('hex'), user]))

  const authenticateToken = async (token: string): Promise<UserInfo | undefined> => {
    // looked up by hash: how long it takes tells nothing about the tokens that exist
    const known = tokens.get(digest(token).toString('hex')) ?? (await joining(options, token))
    const user = known ?? (token.split('.').length === 3 ? await options.verifyServiceAccountToken?.(token) : undefined)
    return user && authenticated(user)
  }

  return {
    authenticateToken,
    async authenticate({ certificate, bearerToken }) {
      const fromCertificate = certificate && userOf(certificate, options.clock.now())
      if (fromCertificate) return authenticated(fromCertificate)
      if (bearerToken !== undefined) {
        const user = await authenticateToken(bearerToken)
        if (user) return user
      }
      if (certificate || bearerToken !== undefined) throw unauthorized()
      return undefined
    },
  }
}

/** The one answer to anyone unknown: it does not say what was wrong. */
export function unauthorized(): StatusError {
  return new StatusError('Unauthorized', 'Unauthorized')
}

/** For requests without credentials where those are allowed. */
export const ANONYMOUS: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** Adds the group that every authenticated user is in. */
export function authenticated(user: UserInfo): UserInfo {
  return user.groups.includes(AUTHENTICATED) ? user : { ...user, groups: [...user.groups, AUTHENTICATED] }
}

const AUTHENTICATED = 'system:authenticated'
/** Source: k8s.io/cluster-bootstrap token/api. */
const JOIN_TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/

function userOf(certificate: ClientCertificate, nowMs: number): UserInfo | undefined {
  if (!certificate.trusted || nowMs < certificate.notBeforeMs || nowMs > certificate.notAfterMs) return undefined
  return { name: certificate.commonName, groups: certificate.organizations }
}

async function joining(options: AuthenticatorOptions, token: string): Promise<UserInfo | undefined> {
  const match = JOIN_TOKEN.exec(token)
  if (!match || !options.bootstrapToken) return undefined
  const [, id = '', secret = ''] = match
  const known = await options.bootstrapToken(id)
  if (!known || !timingSafeEqual(digest(known.secret), digest(secret))) return undefined
  if (known.expiresAtMs !== undefined && options.clock.now() >= known.expiresAtMs) return undefined
  return { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers'] }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
