import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { JwtFilter, JwtProvider } from '../../../policy/traffic/model/index.ts'
import { JwtError, parseJwt, verifyJwt, type ParsedJwt } from '../../../protocols/jwt/index.ts'
import type { Exchange, Layer } from '../contract.ts'
import { setClaims, type Claims } from './claims.ts'
import { openJwks, type FetchText, type JwksSource } from './jwks-cache.ts'

interface Provider {
  readonly config: JwtProvider
  readonly jwks: JwksSource
}

interface Found {
  readonly token: string
  readonly provider: Provider
}

const BEARER = [{ name: 'authorization', prefix: 'Bearer ' }]

/**
 * Verifies the tokens of requests. One that is there must be good, also where none is required (401, `Jwt ...` as Envoy words it); its claims are known to the
 * rules further in, and headers that carry claims are taken from the token alone, never from the client.
 */
export function createJwtLayer(
  filter: JwtFilter,
  parts: { readonly clock: Clock } & ({ readonly fetch: FetchText } | { readonly jwks: (provider: JwtProvider) => JwksSource }),
): { readonly layer: Layer; close(): void } {
  const open = 'jwks' in parts ? parts.jwks : (provider: JwtProvider) => openJwks(provider, parts)
  const providers: readonly Provider[] = filter.providers.map((config) => ({ config, jwks: open(config) }))
  const claimHeaders = new Set(filter.providers.flatMap(({ claimsToHeaders = [] }) => claimsToHeaders.map(({ header }) => header)))
  const layer: Layer = (inner) => (exchange) => {
    for (const header of claimHeaders) exchange.request.headers.remove(header)
    const found = providers.flatMap((provider) => findToken(exchange, provider) ?? [])
    if (found.length === 0)
      return filter.required ? refuse(exchange, 'Jwt is missing', 'jwt_authn_access_denied{Jwt_is_missing}') : inner(exchange)
    let isEnded = false
    exchange.onEnd(() => (isEnded = true))
    void verifyFirst(found, parts.clock).then(
      ({ provider, claims }) => {
        // the client may have gone while keys were fetched: what layers noted about the request is gone too
        if (isEnded) return
        setClaims(exchange, claims)
        applyClaims(exchange, provider, claims)
        inner(exchange)
      },
      (error: unknown) => {
        if (isEnded) return
        const text = error instanceof JwtError ? TEXTS[error.code] : 'Jwks remote fetch is failed'
        refuse(exchange, text, `jwt_authn_access_denied{${text.replaceAll(' ', '_')}}`)
      },
    )
  }
  return {
    layer,
    close() {
      for (const { jwks } of providers) jwks.close()
    },
  }
}

/** Where providers look into the same header, the issuer in the token says whose it is; the first reason counts when none believes it. */
async function verifyFirst(found: readonly Found[], clock: Clock): Promise<{ readonly provider: Provider; readonly claims: Claims }> {
  let first: unknown
  for (const { token, provider } of found) {
    try {
      return { provider, claims: await verifyBy(provider, parseJwt(token), clock) }
    } catch (error) {
      // of a provider that is not meant, that says little
      const isOther = error instanceof JwtError && error.code === 'BadIssuer'
      if (first === undefined || (first instanceof JwtError && first.code === 'BadIssuer' && !isOther)) first = error
    }
  }
  throw first
}

async function verifyBy({ config, jwks }: Provider, token: ParsedJwt, clock: Clock): Promise<Claims> {
  const { issuer, audiences } = config
  if (token.claims['iss'] !== issuer) throw new JwtError('BadIssuer', 'the token is of another issuer')
  const expected = { issuer, audiences, nowMs: clock.now() }
  const keys = await jwks.keys().catch((error: unknown) => Promise.reject(new Error(messageOf(error))))
  try {
    return verifyJwt(token, keys, expected)
  } catch (error) {
    if (!(error instanceof JwtError && error.code === 'UnknownKey')) throw error
    // the issuer may have changed its keys since
    await jwks.refresh()
    return verifyJwt(token, await jwks.keys(), expected)
  }
}

function findToken({ request }: Exchange, provider: Provider): Found | undefined {
  const { fromHeaders = BEARER, fromParams = [] } = provider.config
  for (const { name, prefix = '' } of fromHeaders) {
    const value = request.headers.get(name)
    if (value?.startsWith(prefix)) return { token: value.slice(prefix.length).trim(), provider }
  }
  const query = fromParams.length > 0 ? request.path.indexOf('?') : -1
  if (query < 0) return undefined
  const parameters = new URLSearchParams(request.path.slice(query + 1))
  for (const name of fromParams) {
    const token = parameters.get(name)
    if (token !== null) return { token, provider }
  }
  return undefined
}

function applyClaims({ request }: Exchange, { config }: Provider, claims: Claims): void {
  const { fromHeaders = BEARER, forward, claimsToHeaders = [] } = config
  if (!forward) for (const { name } of fromHeaders) request.headers.remove(name)
  for (const { claim, header } of claimsToHeaders) {
    const value = claims[claim]
    if (value === undefined) continue
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    // a claim is the issuer's text; what no header can hold is left out
    if (!/[^\t\x20-\x7e\x80-\xff]/.test(text)) request.headers.set(header, text)
  }
}

function refuse(exchange: Exchange, body: string, details: string): void {
  const scheme = `Bearer realm="${exchange.request.scheme}://${exchange.request.authority}${exchange.request.path.split('?')[0] ?? ''}"`
  const challenge = body === 'Jwt is missing' ? scheme : `${scheme}, error="invalid_token"`
  exchange.respond({ status: 401, body, details, headers: [{ name: 'www-authenticate', value: challenge }] })
}

/** Envoy's words. */
const TEXTS: Readonly<Record<JwtError['code'], string>> = {
  Malformed: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
  UnknownAlgorithm: 'Jwt header [alg] is not supported',
  UnknownKey: "Jwks doesn't have key to match kid or alg from Jwt",
  BadSignature: 'Jwt verification fails',
  Expired: 'Jwt is expired',
  NotYetValid: 'Jwt not yet valid',
  BadIssuer: 'Jwt issuer is not configured',
  BadAudience: 'Audiences in Jwt are not allowed',
}
