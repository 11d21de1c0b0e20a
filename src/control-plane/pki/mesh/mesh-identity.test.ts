import 'reflect-metadata'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate as OracleCertificate } from '@peculiar/x509'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRequest, issueCertificate, encodePem, keyIdOf } from '../../../protocols/x509/index.ts'
import { createAuthority, issueLeaf, openAuthority, planRotation, type AuthorityRecord, type RotationFacts } from './index.ts'

const NOW = Date.UTC(2030, 0, 1)
const DOMAIN = 'default.mesh.local'
const ID = `spiffe://${DOMAIN}/ns/shop/sa/web`
const DAY = 86_400_000
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const csr = createRequest({ subject: { commonName: 'somebody else' }, alternativeNames: [{ type: 'uri', value: 'spiffe://evil/x' }] }, keys)

describe('a mesh authority', () => {
  const files = createAuthority({ trustDomain: DOMAIN, nowMs: NOW })
  const authority = openAuthority(files, DOMAIN, NOW)
  const leaf = issueLeaf(authority, { csr, spiffeId: ID, lifeMs: DAY, nowMs: NOW })

  it('signs leaves as SPIFFE asks for, whatever the request said of itself', () => {
    const parsed = new X509Certificate(leaf.certificate)
    const ca = new X509Certificate(files.certificate)
    expect(parsed.subjectAltName).toBe(`URI:${ID}`)
    expect(parsed.subject).toBeUndefined()
    expect(parsed.verify(ca.publicKey)).toBe(true)
    expect(parsed.ca).toBe(false)
    expect(leaf.notAfterMs).toBe(NOW + DAY)
    expect(parsed.publicKey.equals(keys.publicKey)).toBe(true)
  })

  it('is read the same by another library', async () => {
    const oracle = new OracleCertificate(leaf.certificate)
    const san = oracle.getExtension('2.5.29.17')
    expect(san?.critical).toBe(true)
    expect(oracle.getExtension('2.5.29.15')?.critical).toBe(true)
    expect(BigInt(`0x${oracle.serialNumber}`) > 0n).toBe(true)
    expect(await oracle.verify({ publicKey: new OracleCertificate(files.certificate).publicKey, date: new Date(NOW + 1000) })).toBe(true)
  })

  it('passes the strict check of openssl', ({ skip }) => {
    const dir = mkdtempSync(join(tmpdir(), 'mesh-ca-'))
    onTestFinished(() => rmSync(dir, { recursive: true }))
    writeFileSync(join(dir, 'ca.pem'), files.certificate)
    writeFileSync(join(dir, 'leaf.pem'), leaf.certificate)
    try {
      execFileSync('openssl', ['version'])
    } catch {
      skip('openssl is not installed')
    }
    const said = execFileSync('openssl', [
      'verify',
      '-x509_strict',
      '-attime',
      String(NOW / 1000 + 60),
      '-CAfile',
      join(dir, 'ca.pem'),
      join(dir, 'leaf.pem'),
    ]).toString()
    expect(said).toMatch(/: OK/)
  })

  it('never outlives the authority', () => {
    expect(issueLeaf(authority, { csr, spiffeId: ID, lifeMs: 100 * 365 * DAY, nowMs: NOW }).notAfterMs).toBe(authority.info.notAfter)
  })

  it('refuses identities of another domain, and requests that are not signed', () => {
    expect(() => issueLeaf(authority, { csr, spiffeId: 'spiffe://other/ns/a/sa/b', lifeMs: DAY, nowMs: NOW })).toThrow(
      /not of trust domain/,
    )
    const broken = Buffer.from(csr)
    broken[broken.length - 3]! ^= 0xff
    expect(() => issueLeaf(authority, { csr: broken, spiffeId: ID, lifeMs: DAY, nowMs: NOW })).toThrow(/signature/)
  })

  it('tells what is wrong with one that was brought along', () => {
    const other = createAuthority({ trustDomain: DOMAIN, nowMs: NOW })
    const open = (certificate: string, privateKey: string, domain = DOMAIN, at = NOW): unknown =>
      openAuthority({ certificate, privateKey }, domain, at)
    expect(() => open(files.certificate, other.privateKey)).toThrow(/not the one of its certificate/)
    expect(() => open(files.certificate, files.privateKey, 'other.domain')).toThrow(/is for default.mesh.local/)
    expect(() => open(files.certificate, files.privateKey, DOMAIN, NOW + 11 * 365 * DAY)).toThrow(/ran out at/)
    expect(() => open('rubbish', files.privateKey)).toThrow(/cannot be used/)
    expect(() => open(leaf.certificate, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).toThrow(/no CA certificate/)
  })

  it('sends the way to the root with the leaf where it is an intermediate', () => {
    const rootKey = createPrivateKey(files.privateKey)
    const middle = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const publicKey = middle.publicKey.export({ type: 'spki', format: 'der' })
    const der = issueCertificate(
      {
        subject: { commonName: 'middle' },
        isCa: true,
        keyUsages: ['keyCertSign'],
        publicKey,
        notBefore: NOW,
        notAfter: NOW + 9 * DAY,
        serial: Buffer.from([7]),
      },
      {
        name: authority.info.subject,
        privateKey: rootKey,
        keyId: keyIdOf(createPublicKey(rootKey).export({ type: 'spki', format: 'der' })),
      },
    )
    const intermediate = openAuthority(
      { certificate: encodePem('CERTIFICATE', der), privateKey: middle.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
      DOMAIN,
      NOW,
    )
    const { certificate } = issueLeaf(intermediate, { csr, spiffeId: ID, lifeMs: DAY, nowMs: NOW })
    expect(certificate.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
  })
})

describe('rotation of authorities', () => {
  const record = (id: string, phase: AuthorityRecord['phase'], sinceMs = NOW): AuthorityRecord => ({
    id,
    phase,
    sinceMs,
    notBeforeMs: NOW,
    notAfterMs: NOW + 100 * DAY,
  })
  const facts = (more: Partial<RotationFacts> = {}): RotationFacts => ({
    nowMs: NOW,
    leafLifeMs: DAY,
    unconfirmed: () => [],
    generates: true,
    ...more,
  })

  it('makes the first one, which signs at once', () => {
    expect(planRotation([], facts()).steps).toEqual([{ type: 'create' }])
    expect(planRotation([record('a', 'trusted')], facts()).steps).toEqual([{ type: 'phase', id: 'a', phase: 'issuing' }])
  })

  it('waits for the Secret where authorities are brought along', () => {
    const plan = planRotation([], facts({ generates: false }))
    expect(plan).toMatchObject({ steps: [], waitingFor: ['a certificate authority in the Secret'] })
  })

  it('is left alone until four fifths of its life are over', () => {
    expect(planRotation([record('a', 'issuing')], facts())).toMatchObject({ steps: [], phase: 'Stable', againAtMs: NOW + 80 * DAY })
    expect(planRotation([record('a', 'issuing')], facts({ nowMs: NOW + 80 * DAY }))).toMatchObject({
      steps: [{ type: 'create' }],
      expiresSoon: true,
    })
    expect(planRotation([record('a', 'issuing')], facts({ requested: true })).steps).toEqual([{ type: 'create' }])
  })

  it('does not switch before every proxy trusts the new one', () => {
    const both = [record('a', 'issuing'), record('b', 'trusted')]
    const slow = facts({ unconfirmed: (id) => (id === 'b' ? [{ proxy: 'web.shop', lastSeenMs: NOW - 1000 }] : []) })
    expect(planRotation(both, slow)).toMatchObject({ steps: [], phase: 'AddingTrust', waitingFor: ['web.shop'] })
    expect(planRotation(both, facts()).steps).toEqual([
      { type: 'phase', id: 'b', phase: 'issuing' },
      { type: 'phase', id: 'a', phase: 'retiring' },
    ])
  })

  it('does not wait for a proxy that has been away for longer than its certificate lives', () => {
    const gone = facts({ unconfirmed: () => [{ proxy: 'web.shop', lastSeenMs: NOW - DAY }] })
    expect(planRotation([record('a', 'issuing'), record('b', 'trusted')], gone).steps).toHaveLength(2)
  })

  it('takes the old one out of the bundles once its last leaf has run out, and makes no third one meanwhile', () => {
    const both = [record('b', 'issuing'), record('a', 'retiring')]
    expect(planRotation(both, facts({ nowMs: NOW + DAY - 1, requested: true }))).toMatchObject({ steps: [], againAtMs: NOW + DAY })
    expect(planRotation(both, facts({ nowMs: NOW + DAY }))).toMatchObject({ steps: [{ type: 'remove', id: 'a' }], phase: 'Stable' })
  })
})
