import { expect, it } from 'vitest'
import type { ProxyStatusView } from '../../protocols/mesh-view.ts'
import { explainText, policiesTable, proxiesTable, stateOf, strictText } from './proxies-report.ts'

const NOW = Date.UTC(2030, 0, 1)
const proxy: ProxyStatusView = {
  name: 'web-1.shop',
  namespace: 'shop',
  pod: 'web-1',
  node: 'a',
  kind: 'sidecar',
  dataPlane: 'biplane',
  connected: true,
  strictBy: 'kernel',
  since: new Date(NOW - 60_000).toISOString(),
  types: [
    { type: 'listener', resources: 3, acked: 'x' },
    { type: 'cluster', resources: 2, acked: 'y' },
  ],
}

it('shows proxies with what they have in force', () => {
  expect(
    proxiesTable({ proxies: [proxy] }, { wide: true, nowMs: NOW })
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual([
    'NAMESPACE   PROXY   KIND      DATA-PLANE   NODE   STATE    AGE   LISTENER   ROUTE   CLUSTER   ENDPOINTS   STRICT-BY   REFUSED',
    'shop        web-1   sidecar   biplane      a      Synced   60s   3          -       2         -           kernel',
    '',
  ])
  expect(proxiesTable({ proxies: [] }, { wide: false, nowMs: NOW })).toBe('')
})

it('says what is not in force', () => {
  const [listener] = proxy.types
  const refused = { ...proxy, types: [{ type: 'route', resources: 1, refused: { reason: 'bad regex', at: '' } }] }
  expect(stateOf({ ...proxy, connected: false })).toBe('Disconnected')
  expect(stateOf({ ...proxy, types: [{ type: 'listener', resources: 1, ...listener, pending: 'z' }] })).toBe('Syncing')
  expect(stateOf(refused)).toBe('Refused')
  expect(proxiesTable({ proxies: [refused] }, { wide: false, nowMs: NOW })).toContain('route: bad regex')
  const table = policiesTable({
    policies: [
      {
        policy: 'MeshTimeout/shop/a',
        proxies: 3,
        programmed: 2,
        refused: [{ proxy: 'web-1.shop', reason: 'no' }],
        findings: [{ type: 'Shadowed', reason: 'Shadowed', message: 'by b' }],
      },
    ],
  })
  expect(table).toContain('2/3')
  expect(table).toContain('web-1.shop refused: no; Shadowed: by b')
})

it('explains a call step by step', () => {
  expect(
    explainText({
      verdict: 'denied',
      steps: [
        { step: 'identity', verdict: 'ok', message: 'spiffe://d/ns/a/sa/b' },
        { step: 'permission', verdict: 'denied', message: 'no rule allows it', origin: 'MeshTrafficPermission/a/kv' },
      ],
    }),
  ).toBe('+ identity    spiffe://d/ns/a/sa/b\nx permission  no rule allows it  (MeshTrafficPermission/a/kv)\ndenied\n')
})

it('says who would break', () => {
  expect(strictText({ safe: true, plaintext: [] })).toContain('is safe')
  expect(strictText({ safe: false, plaintext: [{ from: '10.0.0.1', to: 'shop/web:80', count: 3, lastSeen: 'x' }] })).toContain(
    'shop/web:80',
  )
})
