import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { exportJWK, SignJWT, type JWK } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { JwtError, parseJwks, parseJwt, verifyJwt, type JwtExpectation } from './index.ts'

const NOW = Date.UTC(2030, 0, 1)
const S = NOW / 1000
const EXPECTED: JwtExpectation = { issuer: 'https://issuer', audiences: ['shop'], nowMs: NOW }

const KEYS: Readonly<Record<string, () => { readonly privateKey: KeyObject; readonly publicKey: KeyObject }>> = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: () => generateKeyPairSync('ed25519'),
}

async function signed(
  privateKey: KeyObject,
  alg: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  return await new SignJWT({ iss: 'https://issuer', aud: 'shop', sub: 'me', exp: S + 60, ...claims })
    .setProtectedHeader({ alg, ...header })
    .sign(privateKey)
}

const setOf = (...keys: readonly JWK[]): string => JSON.stringify({ keys })
const check = (token: string, set: string, expected = EXPECTED): unknown => verifyJwt(parseJwt(token), parseJwks(set), expected)

describe('tokens of another library', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])('%s holds, and nothing that was changed', async (alg) => {
    const { privateKey, publicKey } = (KEYS[alg] as () => { privateKey: KeyObject; publicKey: KeyObject })()
    const set = setOf({ ...(await exportJWK(publicKey)), kid: 'a' })
    const token = await signed(privateKey, alg, {}, { kid: 'a' })
    expect(check(token, set)).toMatchObject({ sub: 'me' })
    const [head, body, signature = ''] = token.split('.')
    const other = Buffer.from(JSON.stringify({ ...parseJwt(token).claims, sub: 'root' })).toString('base64url')
    expect(() => check(`${head}.${other}.${signature}`, set)).toThrow(/signature/)
    expect(() => check(`${head}.${body}.${signature.slice(0, -8)}AAAAAAAA`, set)).toThrow(/signature/)
  })
})

describe('what is refused', () => {
  let privateKey: KeyObject
  let set: string
  beforeAll(async () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    privateKey = keys.privateKey
    set = setOf({ ...(await exportJWK(keys.publicKey)), kid: 'a', alg: 'ES256', use: 'sig' })
  })

  it.each([
    ['it has expired', { exp: S - 61 }, {}, 'Expired'],
    ['it is not valid yet', { nbf: S + 61 }, {}, 'NotYetValid'],
    ['another issuer', { iss: 'https://other' }, {}, 'BadIssuer'],
    ['another audience', { aud: ['bank'] }, {}, 'BadAudience'],
    ['a time that is no number', { exp: 'never' }, {}, 'Malformed'],
    ['a key that is not in the set', {}, { kid: 'b' }, 'UnknownKey'],
  ])('%s', async (_, claims, header, code) => {
    const token = await signed(privateKey, 'ES256', claims as Record<string, unknown>, header).catch(() => signedByHand(privateKey, claims))
    try {
      check(token, set)
      expect.unreachable()
    } catch (error) {
      expect((error as JwtError).code).toBe(code)
      expect((error as JwtError).message).not.toContain(token.split('.')[2])
    }
  })

  it('a little skew of clocks is none of it, and an audience of several', async () => {
    expect(check(await signed(privateKey, 'ES256', { exp: S - 59, nbf: S + 59, aud: ['bank', 'shop'] }), set)).toBeDefined()
  })

  it('"none", and a public key taken for an HMAC secret', async () => {
    const body = Buffer.from(JSON.stringify({ iss: 'https://issuer', aud: 'shop' })).toString('base64url')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    expect(() => check(`${none}.${body}.AA`, set)).toThrow(/not accepted/)
    const hmac = await new SignJWT({ iss: 'https://issuer', aud: 'shop' })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(set.padEnd(64)))
    expect(() => check(hmac, set)).toThrow(/not accepted/)
  })

  it('extensions that must be understood', () => {
    const head = Buffer.from('{"alg":"ES256","crit":["b64"]}').toString('base64url')
    expect(() => parseJwt(`${head}.${Buffer.from('{}').toString('base64url')}.AA`)).toThrow(/critical/)
  })

  it.each(['', 'a', 'a.b', 'a.b.c.d', 'e30.e30', '!.!.!', 'W10.e30.AA', `${'a'.repeat(20_000)}.b.c`])('the text %.12s', (text) => {
    expect(() => parseJwt(text)).toThrow(JwtError)
  })

  it('never crashes, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(fc.json(), fc.json(), fc.base64String()).map(([a, b, c]) =>
            [a, b]
              .map((x) => Buffer.from(x).toString('base64url'))
              .concat(c)
              .join('.'),
          ),
        ),
        (text) => {
          try {
            verifyJwt(parseJwt(text), parseJwks(set), EXPECTED)
          } catch (error) {
            expect(error).toBeInstanceOf(JwtError)
          }
        },
      ),
    )
  })
})

describe('key sets', () => {
  it('leave out what signatures are not checked by', async () => {
    const good = await exportJWK(generateKeyPairSync('ed25519').publicKey)
    const weak = await exportJWK(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)
    const set = setOf(
      { kty: 'oct', k: 'AAAA' },
      { ...good, use: 'enc' },
      { ...good, key_ops: ['sign'] },
      weak,
      { kty: 'new' },
      { ...good, kid: 'g' },
    )
    expect(parseJwks(set).map(({ kid }) => kid)).toEqual(['g'])
  })

  it.each(['', '[]', 'null', '{}', '{"keys":{}}', '{"keys":[]}', '{"keys":[null,1,"x"]}'])('%s is none', (text) => {
    expect(() => parseJwks(text)).toThrow(/key set/)
  })
})

/** jose makes no token with claims of a wrong type. */
async function signedByHand(privateKey: KeyObject, claims: unknown): Promise<string> {
  const { CompactSign } = await import('jose')
  const payload = Buffer.from(JSON.stringify({ iss: 'https://issuer', aud: 'shop', ...(claims as object) }))
  return await new CompactSign(payload).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
}
