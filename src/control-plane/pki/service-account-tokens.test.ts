import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  serviceAccountKeyId,
  serviceAccountUser,
  signServiceAccountToken,
  TokenError,
  verifyServiceAccountToken,
} from './service-account-tokens.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const NOW = Date.UTC(2026, 0, 1)
const ISSUER = 'https://kubernetes.default.svc'
const CLAIMS = {
  namespace: 'default',
  serviceAccount: { name: 'web', uid: 'u1' },
  pod: { name: 'web-1', uid: 'p1' },
  node: { name: 'n1', uid: 'n1u' },
}
const signing = {
  privateKey,
  keyId: serviceAccountKeyId(publicKey),
  issuer: ISSUER,
  audiences: [ISSUER, 'vault'],
  expirationSeconds: 3600,
  nowMs: NOW,
  id: 'jti-1',
}
const expected = { publicKey, issuer: ISSUER, audiences: [ISSUER], nowMs: NOW }
const token = signServiceAccountToken(CLAIMS, signing)

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const payloadOf = (text: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(text.split('.')[1] as string, 'base64url').toString()) as Record<string, unknown>

function refusal(text: string, change: Partial<typeof expected> = {}): string {
  try {
    verifyServiceAccountToken(text, { ...expected, ...change })
  } catch (error) {
    if (error instanceof TokenError) return error.code
    throw error
  }
  return 'accepted'
}

describe('service account tokens', () => {
  test('what is signed is verified', () => {
    expect(verifyServiceAccountToken(token, expected)).toEqual({
      ...CLAIMS,
      subject: 'system:serviceaccount:default:web',
      audiences: [ISSUER, 'vault'],
      expiresAtMs: NOW + 3_600_000,
      id: 'jti-1',
    })
    const unbound = { namespace: 'kube-system', serviceAccount: { name: 'x', uid: 'y' } }
    expect(verifyServiceAccountToken(signServiceAccountToken(unbound, signing), expected)).toMatchObject(unbound)
  })

  test('the claims are those that Kubernetes writes', () => {
    expect(payloadOf(token)).toEqual({
      aud: [ISSUER, 'vault'],
      exp: NOW / 1000 + 3600,
      iat: NOW / 1000,
      iss: ISSUER,
      jti: 'jti-1',
      'kubernetes.io': { namespace: 'default', node: CLAIMS.node, pod: CLAIMS.pod, serviceaccount: CLAIMS.serviceAccount },
      nbf: NOW / 1000,
      sub: 'system:serviceaccount:default:web',
    })
  })

  test('stands for a user with the groups of its namespace', () => {
    expect(serviceAccountUser(verifyServiceAccountToken(token, expected))).toEqual({
      name: 'system:serviceaccount:default:web',
      uid: 'u1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default'],
      extra: {
        'authentication.kubernetes.io/credential-id': ['JTI=jti-1'],
        'authentication.kubernetes.io/pod-name': ['web-1'],
        'authentication.kubernetes.io/pod-uid': ['p1'],
        'authentication.kubernetes.io/node-name': ['n1'],
        'authentication.kubernetes.io/node-uid': ['n1u'],
      },
    })
  })

  test('times, issuer and audience are checked', () => {
    expect(refusal(token, { nowMs: NOW + 3_600_000 })).toBe('Expired')
    expect(refusal(token, { nowMs: NOW + 3_599_999 })).toBe('accepted')
    expect(refusal(token, { nowMs: NOW - 1 })).toBe('NotYetValid')
    expect(refusal(token, { issuer: 'https://other' })).toBe('Issuer')
    expect(refusal(token, { audiences: ['other'] })).toBe('Audience')
    expect(refusal(token, { audiences: ['other', 'vault'] })).toBe('accepted')
  })

  test('another key is refused', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(refusal(token, { publicKey: other.publicKey })).toBe('Signature')
    expect(refusal(signServiceAccountToken(CLAIMS, { ...signing, privateKey: other.privateKey }))).toBe('Signature')
  })

  test('bad input case 25: alg none, and an HMAC made with the public key, are refused', () => {
    const payload = token.split('.')[1] as string
    expect(refusal(`${part({ alg: 'none' })}.${payload}.`)).toBe('Algorithm')
    const hmacInput = `${part({ alg: 'HS256' })}.${payload}`
    const hmac = createHmac('sha256', publicKey.export({ type: 'spki', format: 'pem' }))
      .update(hmacInput)
      .digest('base64url')
    expect(refusal(`${hmacInput}.${hmac}`)).toBe('Algorithm')
    expect(refusal(`${token.split('.')[0]}.${payload}.`)).toBe('Signature')
  })

  test('changing any part breaks it', () => {
    const [header, , signature] = token.split('.')
    const changed = { ...payloadOf(token), sub: 'system:serviceaccount:kube-system:admin' }
    expect(refusal(`${header}.${part(changed)}.${signature}`)).toBe('Signature')
  })

  test.each(['', 'a', 'a.b', 'a.b.c', '..', `${part([])}.x.y`, 'x'.repeat(20_000), `${token}.more`])('%.20j is refused', (text) => {
    expect(['Malformed', 'Algorithm']).toContain(refusal(text))
  })
})
