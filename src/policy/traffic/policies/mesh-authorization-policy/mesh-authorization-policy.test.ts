import { expect, test } from 'vitest'
import type { Rbac, RbacRule } from '../../model/index.ts'
import { CART, translated, worldOf } from '../test-world.ts'
import { meshAuthorizationPolicy } from './index.ts'

const rule = (name: string, exact?: string): RbacRule => ({
  name,
  principals: exact === undefined ? [] : [{ spiffeId: { exact } }],
  requests: [],
})
const before: Rbac = {
  deny: [rule('d')],
  shadowDeny: [],
  allow: [{ name: 'a', principals: [{ spiffeId: { prefix: 'spiffe://m/ns/x/' } }], requests: [] }],
  otherwise: 'deny',
}
const judge = (
  rbac: { deny: RbacRule[]; allow: RbacRule[] },
  protocol: 'tcp' | 'http' | 'auto',
  given: Rbac = before,
): Rbac | undefined => {
  const rules = [{ matches: [], origins: [], conf: { rbac, dryRun: { deny: [], allow: [] }, custom: [] } }]
  const context = { proxy: CART, world: worldOf(translated([])), port: 8080, protocol }
  return meshAuthorizationPolicy.inboundConnection!(rules, { rbac: given }, context).rbac
}

test('bytes must be allowed by the permission and by the policy', () => {
  const rbac = { deny: [rule('no')], allow: [rule('in', 'spiffe://m/ns/x/sa/y'), rule('out', 'spiffe://m/ns/z/sa/y'), rule('all')] }
  expect(judge(rbac, 'tcp')).toEqual({
    deny: [rule('d'), rule('no')],
    shadowDeny: [],
    allow: [rule('in', 'spiffe://m/ns/x/sa/y'), { name: 'all', principals: [{ spiffeId: { prefix: 'spiffe://m/ns/x/' } }], requests: [] }],
    otherwise: 'deny',
  })
  expect(judge(rbac, 'tcp', { ...before, otherwise: 'allow', allow: [] })).toMatchObject({ allow: rbac.allow, otherwise: 'deny' })
})

test('requests are left to the filter; where HTTP may be found denials hold at once', () => {
  const rbac = { deny: [rule('no')], allow: [rule('all')] }
  expect(judge(rbac, 'http')).toEqual(before)
  expect(judge(rbac, 'auto')).toEqual({ ...before, deny: [rule('d'), rule('no')] })
})
