import { expect, test } from 'vitest'
import { bgpPeers } from '../../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { UserInfo } from '../contract.ts'
import { resourceOf } from '../registry/resource.ts'
import { routingStatusRestriction } from './routing-status-restriction.ts'

const NODE: UserInfo = { name: 'system:node:n1', groups: ['system:nodes'] }
const ADMIN: UserInfo = { name: 'admin', groups: ['system:masters'] }
const up = { state: 'Established' }

test.each<[string, UserInfo, object | undefined, object | undefined, boolean]>([
  ['a node may make its own entry', NODE, undefined, { sessions: { n1: up } }, true],
  ['a node may change its own entry', NODE, { sessions: { n1: {}, n2: up } }, { sessions: { n1: up, n2: up } }, true],
  ['a node may take its own entry away', NODE, { sessions: { n1: up, n2: up } }, { sessions: { n2: up } }, true],
  ['a node may not change the entry of another', NODE, { sessions: { n2: up } }, { sessions: { n2: {} } }, false],
  ['a node may not make an entry for another', NODE, undefined, { sessions: { n2: up } }, false],
  ['a node may not take an entry of another away', NODE, { sessions: { n2: up } }, {}, false],
  ['others may do what they are allowed to', ADMIN, undefined, { sessions: { n2: up } }, true],
])('%s', async (_what, user, before, after, allowed) => {
  const object = (status: object | undefined): { metadata: { name: string }; status?: object } => ({
    metadata: { name: 'tor' },
    ...(status ? { status } : {}),
  })
  const admitted = routingStatusRestriction.admit({
    operation: 'UPDATE',
    resource: resourceOf(bgpPeers as KindDefinition<any>),
    namespace: '',
    name: 'tor',
    subresource: 'status',
    user,
    dryRun: false,
    object: object(after),
    previous: object(before),
    warn: () => {},
  })
  if (allowed) await expect(admitted).resolves.toBeUndefined()
  else await expect(admitted).rejects.toMatchObject({ reason: 'Forbidden' })
})
