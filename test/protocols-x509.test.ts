import { execFileSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createRequest, decodePem, encodePem, issueCertificate, readRequest } from '../src/protocols/x509/index.ts'
import { ca, DAY, issuer, leaf, leafKeys, NAMES, NOW } from '../src/protocols/x509/test-certificates.ts'

const hasOpenssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
const dir = mkdtempSync(join(tmpdir(), 'biplane-x509-'))
afterAll(() => rmSync(dir, { recursive: true }))

function openssl(...args: readonly string[]): string {
  return execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

const subject = { commonName: 'system:node:n1', organizations: ['system:nodes'] }

test.skipIf(!hasOpenssl)('openssl verifies the chain strictly (needs the openssl command)', () => {
  writeFileSync(join(dir, 'ca.pem'), encodePem('CERTIFICATE', ca))
  writeFileSync(join(dir, 'leaf.pem'), encodePem('CERTIFICATE', leaf(NAMES)))
  const at = String(NOW / 1000 + 60)
  expect(
    openssl('verify', '-x509_strict', '-attime', at, '-purpose', 'sslserver', '-verify_ip', '10.96.0.1', '-CAfile', 'ca.pem', 'leaf.pem'),
  ).toContain('leaf.pem: OK')
  const text = openssl('x509', '-in', 'leaf.pem', '-noout', '-text')
  expect(text).toContain('Digital Signature, Key Encipherment')
  expect(text).toContain('TLS Web Server Authentication, TLS Web Client Authentication')
  expect(text).toContain('CA:FALSE')
  // a certificate without subject speaks through its names alone: the extension is critical then
  writeFileSync(join(dir, 'bare.pem'), encodePem('CERTIFICATE', leaf(NAMES, '', [])))
  expect(openssl('x509', '-in', 'bare.pem', '-noout', '-text')).toContain('X509v3 Subject Alternative Name: critical')
})

test.skipIf(!hasOpenssl)('openssl and we read each other (needs the openssl command)', () => {
  writeFileSync(join(dir, 'ours.csr'), encodePem('CERTIFICATE REQUEST', createRequest({ subject, alternativeNames: NAMES }, leafKeys)))
  expect(openssl('req', '-in', 'ours.csr', '-noout', '-verify', '-text')).toContain('DNS:web.example.com')
  for (const [algorithm, digest] of [
    ['ec:', 'sha256'],
    ['ec:', 'sha384'],
    ['rsa:2048', 'sha256'],
    ['ed25519', 'sha256'],
  ] as const) {
    const key = algorithm === 'ec:' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', algorithm]
    openssl(
      'req',
      '-new',
      ...key,
      `-${digest}`,
      '-nodes',
      '-keyout',
      'their.key',
      '-out',
      'their.csr',
      '-subj',
      '/O=dev/CN=jane',
      '-addext',
      'subjectAltName=DNS:a.b',
    )
    const pem = openssl('req', '-in', 'their.csr')
    const request = readRequest(decodePem(pem, 'CERTIFICATE REQUEST'))
    expect(request).toMatchObject({
      subject: { commonName: 'jane', organizations: ['dev'] },
      alternativeNames: [{ type: 'dns', value: 'a.b' }],
    })
    const { publicKey } = request
    const certificate = new X509Certificate(
      issueCertificate({ subject: request.subject, publicKey, notBefore: NOW, notAfter: NOW + DAY, serial: Buffer.alloc(8, 2) }, issuer),
    )
    expect(certificate.checkPrivateKey(createPrivateKey(openssl('pkey', '-in', 'their.key')))).toBe(true)
  }
})
