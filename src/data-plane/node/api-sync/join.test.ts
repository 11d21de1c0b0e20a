import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { encodePem, issueCertificate, keyIdOf } from '../../../protocols/x509/index.ts'
import { lifeLeft, type NodeIdentity } from './join.ts'

const BEGIN_MS = Date.parse('2026-01-01T00:00:00Z')
const END_MS = Date.parse('2026-12-31T00:00:00Z')
const at = (part: number): number => BEGIN_MS + part * (END_MS - BEGIN_MS)

/** A CA, and how it signs the certificate of a subject for the year. */
function authority(): { readonly certificate: string; sign(commonName: string): NodeIdentity } {
  const caKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = { commonName: 'ca' }
  const sign = (commonName: string, keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })): NodeIdentity => {
    const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' })
    const keyId = keyIdOf(caKeys.publicKey.export({ type: 'spki', format: 'der' }))
    const template = { subject: { commonName }, publicKey, notBefore: BEGIN_MS, notAfter: END_MS, serial: Buffer.alloc(8, 1) }
    const der = issueCertificate(template, { name, privateKey: caKeys.privateKey, keyId })
    return { certificate: encodePem('CERTIFICATE', der), privateKey: '' }
  }
  return { certificate: sign('ca', caKeys).certificate, sign: (commonName) => sign(commonName) }
}

const [ours, others] = [authority(), authority()]

test.each([
  ['a new one', ours.sign('system:node:n1'), at(0), 1],
  ['one in its last third', ours.sign('system:node:n1'), at(0.75), 0.25],
  ['an expired one', ours.sign('system:node:n1'), at(1.5), 0],
  ['one of another node', ours.sign('system:node:n2'), at(0), 0],
  ['one of another cluster', others.sign('system:node:n1'), at(0), 0],
  ['one that is none', { certificate: 'x', privateKey: '' }, at(0), 0],
])('life left of %s', (_name, identity, nowMs, left) => {
  expect(lifeLeft(identity, 'n1', ours.certificate, nowMs)).toBeCloseTo(left, 6)
})
