import { describe, expect, test } from 'vitest'
import type { MeshWorld } from '../../input/index.ts'
import { permissionRbac, type PermissionConf } from './index.ts'

const NONE: PermissionConf = { deny: [], shadowDeny: [], allow: [] }
const alice = { match: { spiffeId: { exact: 'spiffe://d/ns/a/sa/alice' } }, name: 'MeshTrafficPermission/a/p' }

function otherwise(conf: Partial<PermissionConf>, defaultPermission: 'allow' | 'deny'): 'allow' | 'deny' {
  const world = { mesh: { defaultPermission } } as MeshWorld
  return permissionRbac([{ matches: [], conf: { ...NONE, ...conf } }] as never, { world }).otherwise
}

describe('callers that no list names', () => {
  test.each([
    ['nobody is named: the default of the mesh', {}, 'allow', 'allow'],
    ['nobody is named: the default of the mesh', {}, 'deny', 'deny'],
    ['some are allowed: others are denied, whatever the default', { allow: [alice] }, 'allow', 'deny'],
    ['some are denied: others get the default', { deny: [alice] }, 'allow', 'allow'],
    ['some would be denied: others get the default', { shadowDeny: [alice] }, 'allow', 'allow'],
  ] as const)('%s', (_, conf, byDefault, expected) => {
    expect(otherwise(conf, byDefault)).toBe(expected)
  })
})
