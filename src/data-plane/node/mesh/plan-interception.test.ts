import { expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import { compileInterception, isIntercepted } from './plan-interception.ts'

function pod(annotations: Record<string, string>, hasSidecar: boolean): Pod {
  return {
    metadata: { name: 'p', annotations },
    spec: { containers: [], ...(hasSidecar ? { initContainers: [{ name: 'biplane-proxy' }] } : {}) },
  }
}

test.each([
  ['a sidecar', pod({}, true), true, 5678],
  ["its node's proxy", pod({ 'biplane.dev/sidecar': 'node' }, false), true, 5679],
  ['gRPC in the application', pod({ 'biplane.dev/data-plane': 'grpc' }, true), false, undefined],
  ['no proxy', pod({}, false), false, undefined],
])('a pod with %s: intercepted %2$s, but for user %3$s', (_, one, isMeshed, user) => {
  expect(isIntercepted(one)).toBe(isMeshed)
  // nobody else's connections pass by, not even those of the other kind of proxy
  if (isMeshed) expect(compileInterception(one).match(/skuid \d+/g)).toEqual([`skuid ${user}`])
})
