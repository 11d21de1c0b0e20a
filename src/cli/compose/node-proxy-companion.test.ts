import { expect, test } from 'vitest'
import { nodeProxyCommand } from './node-proxy-companion.ts'

const PARTS = { self: ['node', 'biplane.js'], dataDir: '/d', name: 'n1', meshSocket: '/d/m.sock' }
const COMMAND = ['node', 'biplane.js', 'proxy', 'node', '--dir=/d/nodes/n1/proxy', '--mesh-socket=/d/m.sock']

test.each([
  [{ root: true, namespaces: true }, '-all,+sys_admin'],
  [{ root: true, namespaces: false }, '-all,+net_bind_service'],
])('the proxy of a node whose agent is root (%o) is another user with one right: %s', (more, kept) => {
  const command = nodeProxyCommand({ ...PARTS, ...more })
  expect(command.slice(command.indexOf('--') + 1)).toEqual(COMMAND)
  expect(command.slice(0, command.indexOf('--'))).toEqual([
    'setpriv',
    '--reuid=5679',
    '--regid=5679',
    '--clear-groups',
    '--no-new-privs',
    `--inh-caps=${kept}`,
    `--ambient-caps=${kept}`,
    `--bounding-set=${kept}`,
  ])
})

test('without root it is the user of the agent', () => {
  expect(nodeProxyCommand({ ...PARTS, root: false, namespaces: false })).toEqual(COMMAND)
})
