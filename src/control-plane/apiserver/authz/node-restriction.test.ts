import { expect, test } from 'vitest'
import { nodes } from '../../../api/core/v1/node.ts'
import { resourceOf } from '../registry/resource.ts'
import type { UserInfo } from '../contract.ts'
import { nodeRestriction } from './node-restriction.ts'

const NODE: UserInfo = { name: 'system:node:n1', groups: ['system:nodes'] }
const ADMIN: UserInfo = { name: 'system:node:n1', groups: ['system:masters'] }

test.each<[string, UserInfo, string, boolean]>([
  ['a node its own', NODE, 'n1', true],
  ['a node another', NODE, 'n2', false],
  ['whoever is no node any', ADMIN, 'n2', true],
])('%s: created %#', async (_what, user, name, allowed) => {
  const admitted = nodeRestriction.admit({
    operation: 'CREATE',
    resource: resourceOf(nodes),
    namespace: '',
    name,
    subresource: '',
    user,
    dryRun: false,
    object: { metadata: { name } },
    warn: () => {},
  })
  if (allowed) await expect(admitted).resolves.toBeUndefined()
  else
    await expect(admitted).rejects.toMatchObject({
      reason: 'Forbidden',
      message: `nodes "${name}" is forbidden: node "n1" is not allowed to create nodes other than its own`,
    })
})
