import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { CertificateSigningRequest, CertificateSigningRequestSpec } from '../../api/generated/types.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { createRequest, encodePem } from '../../protocols/x509/index.ts'
import { certificateSigner } from './certificate-signer.ts'
import { CLIENT_SIGNER, KUBELET_CLIENT_SIGNER, planSigning } from './plan-signing.ts'

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const NODE = { commonName: 'system:node:n1', organizations: ['system:nodes'] }
const JOINING = { username: 'system:bootstrap:abcdef', groups: ['system:bootstrappers', 'system:authenticated'] }
const RENEWING = { username: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }

function pem(request: Parameters<typeof createRequest>[0]): string {
  return Buffer.from(encodePem('CERTIFICATE REQUEST', createRequest(request, keys))).toString('base64')
}

function csr(spec: Partial<CertificateSigningRequestSpec>, status?: CertificateSigningRequest['status']): CertificateSigningRequest {
  const base = {
    request: pem({ subject: NODE }),
    signerName: KUBELET_CLIENT_SIGNER,
    usages: ['client auth', 'digital signature'],
    ...JOINING,
  }
  return { metadata: { name: 'csr-1', uid: 'u' }, spec: { ...base, ...spec }, ...(status ? { status } : {}) }
}

const APPROVED = { conditions: [{ type: 'Approved', status: 'True' }] }
const user = pem({ subject: { commonName: 'jane', organizations: ['dev'] } })

describe('what happens to a certificate request', () => {
  test.each<[string, CertificateSigningRequest, string]>([
    ['a joining node', csr({}), 'sign AutoApproved'],
    ['a node that renews', csr(RENEWING), 'sign AutoApproved'],
    ['a node that asks for another', csr({ ...RENEWING, username: 'system:node:n2' }), 'nothing'],
    ['somebody who only calls himself a node', csr({ username: 'system:node:n1', groups: [] }), 'nothing'],
    ['a bootstrap name without its group', csr({ groups: [] }), 'nothing'],
    ['an administrator for a node, before approval', csr({ username: 'admin', groups: ['system:masters'] }), 'nothing'],
    ['the same after approval', csr({ username: 'admin', groups: ['system:masters'] }, APPROVED), 'sign'],
    ['denied', csr({}, { conditions: [{ type: 'Denied', status: 'True' }] }), 'nothing'],
    ['failed before', csr({}, { conditions: [{ type: 'Failed', status: 'True' }] }), 'nothing'],
    ['signed before', csr({}, { certificate: 'x' }), 'nothing'],
    ['an unknown signer', csr({ signerName: 'example.com/x' }, APPROVED), 'nothing'],
    [
      'another group beside system:nodes',
      csr({ request: pem({ subject: { ...NODE, organizations: ['system:nodes', 'system:masters'] } }) }),
      'nothing',
    ],
    [
      'the same, approved',
      csr({ request: pem({ subject: { ...NODE, organizations: ['system:masters'] } }) }, APPROVED),
      'fail subject organization is not system:nodes',
    ],
    [
      'no node name',
      csr({ request: pem({ subject: { ...NODE, commonName: 'system:node:' } }) }, APPROVED),
      'fail subject common name does not begin with "system:node:"',
    ],
    [
      'a node with names',
      csr({ request: pem({ subject: NODE, alternativeNames: [{ type: 'dns', value: 'x' }] }) }, APPROVED),
      'fail DNS, IP and URI subjectAltNames are not allowed',
    ],
    ['server usage', csr({ usages: ['client auth', 'server auth'] }, APPROVED), 'fail usages may not include "server auth"'],
    ['no client usage', csr({ usages: ['digital signature'] }, APPROVED), 'fail usages did not include "client auth"'],
    ['garbage', csr({ request: 'AAAA' }), 'fail unable to parse csr: no PEM block of type CERTIFICATE REQUEST or NEW CERTIFICATE REQUEST'],
    ['a user, before approval', csr({ signerName: CLIENT_SIGNER, request: user }), 'nothing'],
    ['a user, approved', csr({ signerName: CLIENT_SIGNER, request: user }, APPROVED), 'sign'],
    [
      'a user who wants to be master',
      csr({ signerName: CLIENT_SIGNER, request: pem({ subject: { commonName: 'jane', organizations: ['system:masters'] } }) }, APPROVED),
      `fail use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`,
    ],
  ])('%s', (_, request, expected) => {
    const plan = planSigning(request, 0)
    const detail =
      plan.type === 'fail' ? ` ${plan.condition.message}` : plan.type === 'sign' && plan.approval ? ` ${plan.approval.reason}` : ''
    expect(plan.type + detail).toBe(expected)
  })

  test.each([
    [undefined, 365],
    [86_400, 1],
    [1, 600 / 86_400],
    [10 ** 9, 365],
  ])('expirationSeconds %s gives %s days', (expirationSeconds, days) => {
    expect(planSigning(csr(expirationSeconds === undefined ? {} : { expirationSeconds }), 0)).toMatchObject({ days })
  })
})

describe('the reconciler', () => {
  function setUp(stored: CertificateSigningRequest | undefined): {
    readonly run: () => Promise<unknown>
    readonly written: (readonly [string, CertificateSigningRequest])[]
  } {
    const written: (readonly [string, CertificateSigningRequest])[] = []
    const write = (object: CertificateSigningRequest, options: { subresource: string }): Promise<CertificateSigningRequest> => {
      written.push([options.subresource, structuredClone(object)])
      return Promise.resolve(object)
    }
    const manager = {
      clock: new FakeClock(),
      informers: { informer: () => ({ lister: { get: () => stored } }) },
      client: {
        of: () => ({ update: write, updateStatus: (object: CertificateSigningRequest) => write(object, { subresource: 'status' }) }),
      },
    }
    const signer = certificateSigner(manager as never, {
      signClientCertificate: (request) => `signed ${request.commonName} ${request.organizations.join()}`,
    })
    return { run: async () => signer.reconcile({ namespace: '', name: 'csr-1' }, AbortSignal.timeout(1000)), written }
  }

  test('approves, then signs, and leaves the cached object alone', async () => {
    const stored = csr({})
    const before = structuredClone(stored)
    const { run, written } = setUp(stored)
    await run()
    expect(stored).toEqual(before)
    const approved = {
      type: 'Approved',
      status: 'True',
      reason: 'AutoApproved',
      message: 'Auto approving kubelet client certificate for system:bootstrap:abcdef.',
      lastUpdateTime: '2026-01-01T00:00:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    }
    const certificate = Buffer.from('signed system:node:n1 system:nodes').toString('base64')
    expect(written.map(([subresource, object]) => [subresource, object.status])).toEqual([
      ['approval', { conditions: [approved] }],
      ['status', { conditions: [approved], certificate }],
    ])
  })

  test('signs what others approved without approving again', async () => {
    const { run, written } = setUp(csr({ signerName: CLIENT_SIGNER, request: user }, APPROVED))
    await run()
    const certificate = Buffer.from('signed jane dev').toString('base64')
    expect(written.map(([subresource, object]) => [subresource, object.status])).toEqual([['status', { ...APPROVED, certificate }]])
  })

  test('records a failure', async () => {
    const { run, written } = setUp(csr({ request: 'AAAA' }))
    await run()
    expect(written).toHaveLength(1)
    expect(written[0]?.[0]).toBe('status')
    expect(written[0]?.[1].status?.conditions?.[0]).toMatchObject({ type: 'Failed', reason: 'SignerValidationFailure' })
    expect(written[0]?.[1].status?.certificate).toBeUndefined()
  })

  test('does nothing where there is nothing to do', async () => {
    for (const stored of [undefined, csr({}, { certificate: 'x' })]) {
      const { run, written } = setUp(stored)
      await run()
      expect(written).toEqual([])
    }
  })
})
