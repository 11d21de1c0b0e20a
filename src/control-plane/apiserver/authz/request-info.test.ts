import { expect, test } from 'vitest'
import { exactField, requestInfo } from './request-info.ts'

const read = (line: string): Record<string, unknown> => {
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  const { isResourceRequest, path: _path, ...info } = requestInfo({ method, path, query: Object.fromEntries(new URLSearchParams(query)) })
  return { isResourceRequest, ...Object.fromEntries(Object.entries(info).filter(([, value]) => value !== '')) }
}

test.each<[string, object]>([
  ['GET /', { isResourceRequest: false, verb: 'get' }],
  ['POST /version', { isResourceRequest: false, verb: 'post' }],
  ['GET /api', { isResourceRequest: false, verb: 'get' }],
  ['GET /api/v1', { isResourceRequest: false, verb: 'get' }],
  ['GET /apis/apps/v1', { isResourceRequest: false, verb: 'get' }],
  ['GET /other/v1/pods', { isResourceRequest: false, verb: 'get' }],
  ['GET /api/v1/pods', { isResourceRequest: true, version: 'v1', resource: 'pods', verb: 'list' }],
  ['GET /api/v1/nodes/n', { isResourceRequest: true, version: 'v1', resource: 'nodes', name: 'n', verb: 'get' }],
  ['GET /api/v1/namespaces', { isResourceRequest: true, version: 'v1', resource: 'namespaces', verb: 'list' }],
  ['GET /api/v1/namespaces/d', { isResourceRequest: true, version: 'v1', resource: 'namespaces', name: 'd', namespace: 'd', verb: 'get' }],
  [
    'PUT /api/v1/namespaces/d/finalize',
    { isResourceRequest: true, version: 'v1', resource: 'namespaces', name: 'd', namespace: 'd', subresource: 'finalize', verb: 'update' },
  ],
  [
    'DELETE /apis/apps/v1/namespaces/d/deployments',
    { isResourceRequest: true, group: 'apps', version: 'v1', namespace: 'd', resource: 'deployments', verb: 'deletecollection' },
  ],
  [
    'PATCH /apis/apps/v1/namespaces/d/deployments/w/scale',
    {
      isResourceRequest: true,
      group: 'apps',
      version: 'v1',
      namespace: 'd',
      resource: 'deployments',
      name: 'w',
      subresource: 'scale',
      verb: 'patch',
    },
  ],
  ['GET /api/v1/pods?watch=true', { isResourceRequest: true, version: 'v1', resource: 'pods', verb: 'watch' }],
  ['GET /api/v1/pods?watch=0', { isResourceRequest: true, version: 'v1', resource: 'pods', verb: 'list' }],
  [
    'GET /api/v1/pods?watch=1&fieldSelector=metadata.name%3Da',
    { isResourceRequest: true, version: 'v1', resource: 'pods', verb: 'watch', name: 'a', fieldSelector: 'metadata.name=a' },
  ],
  ['GET /api/v1/nodes/n?watch=true', { isResourceRequest: true, version: 'v1', resource: 'nodes', name: 'n', verb: 'get' }],
  [
    'GET /api/v1/nodes/n/proxy/a/b',
    { isResourceRequest: true, version: 'v1', resource: 'nodes', name: 'n', subresource: 'proxy', verb: 'get' },
  ],
  ['GET /api/v1/watch/pods', { isResourceRequest: true, version: 'v1', resource: 'pods', verb: 'watch' }],
  [
    'GET /api/v1/watch/namespaces/d/pods/a?fieldSelector=x%3Dy',
    {
      isResourceRequest: true,
      version: 'v1',
      namespace: 'd',
      resource: 'pods',
      name: 'a',
      verb: 'watch',
      fieldSelector: 'metadata.name=a',
    },
  ],
  [
    'GET /api/v1/namespaces/d/pods/a/log/more',
    { isResourceRequest: true, version: 'v1', namespace: 'd', resource: 'pods', name: 'a', subresource: 'log/more', verb: 'get' },
  ],
])('%s', (line, info) => {
  expect(read(line)).toEqual(info)
})

test.each<[string, string | undefined]>([
  ['spec.nodeName=n', 'n'],
  [' spec.nodeName == n ', 'n'],
  ['status.phase!=Failed,spec.nodeName=n', 'n'],
  ['spec.nodeName=n,spec.nodeName=n', 'n'],
  ['spec.nodeName=n,spec.nodeName=m', undefined],
  ['spec.nodeName!=n', undefined],
  ['spec.nodeName=', undefined],
  // one term to who knows about escapes, two to who does not
  ['metadata.name!=x\\,spec.nodeName=n', undefined],
  ['', undefined],
])('the selector %j demands %j of spec.nodeName', (selector, value) => {
  expect(exactField(selector, 'spec.nodeName')).toBe(value)
})
