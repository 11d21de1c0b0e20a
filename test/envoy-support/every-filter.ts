/** Every filter of the model, with every member. */
import type { HttpFilter, Rbac } from '../../src/policy/traffic/model/index.ts'

export const rbac: Rbac = {
  deny: [{ name: 'deny/bad', principals: [{ spiffeId: { prefix: 'spiffe://mesh.test/ns/bad/' } }], requests: [] }],
  shadowDeny: [
    { name: 'shadow', principals: [{ authenticated: true, notSpiffeId: { contains: '/sa/ok' } }], requests: [{ methods: ['DELETE'] }] },
  ],
  allow: [
    {
      name: 'allow',
      principals: [
        { spiffeId: { exact: 'spiffe://mesh.test/ns/a/sa/web' }, sourceIps: ['10.0.0.0/8', '::1/128'], notSourceIps: ['10.9.0.0/16'] },
        { serverName: { suffix: '.mesh.biplane' } },
        {
          claims: [
            { name: 'realm_access.roles', value: { exact: 'admin' } },
            { name: 'sub', value: { prefix: 'x' }, invert: true },
          ],
        },
      ],
      requests: [
        {
          methods: ['GET'],
          notMethods: ['PUT'],
          paths: [{ prefix: '/a' }, { regex: '/b/[0-9]+' }],
          notPaths: [{ exact: '/a/secret' }],
          hosts: [{ exact: 'web.test' }, { suffix: '.web.test' }],
          notHosts: [{ contains: 'evil' }],
          ports: [9080, 15999],
          headers: [
            { name: 'x-team', value: { present: true } },
            { name: 'x-bad', value: { exact: 'yes' }, invert: true },
          ],
        },
      ],
    },
    { name: 'allow', principals: [], requests: [{ ports: [9080] }] },
  ],
  otherwise: 'deny',
}

export const FILTERS: readonly HttpFilter[] = [
  {
    type: 'cors',
    name: 'cors',
    allowOrigins: [{ exact: 'https://a.test' }],
    allowMethods: ['GET'],
    allowHeaders: ['x-a'],
    exposeHeaders: ['x-b'],
    allowCredentials: true,
    maxAgeS: 60,
  },
  {
    type: 'jwt',
    name: 'jwt',
    required: false,
    providers: [
      {
        name: 'local',
        issuer: 'https://issuer.test',
        audiences: ['a'],
        jwks: '{"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow","alg":"HS256","kid":"1"}]}',
        fromHeaders: [{ name: 'x-token', prefix: 'T ' }],
        fromParams: ['token'],
        forward: true,
        claimsToHeaders: [{ claim: 'sub', header: 'x-sub' }],
      },
      {
        name: 'remote',
        issuer: 'https://other.test',
        audiences: [],
        forward: false,
        remoteJwks: { uri: 'http://keys.test/jwks', cluster: 'reviews', timeoutMs: 1000, cacheMs: 60_000 },
      },
    ],
  },
  {
    type: 'extAuthz',
    name: 'authz',
    protocol: 'grpc',
    cluster: 'reviews',
    timeoutMs: 300,
    failOpen: true,
    includeHeaders: ['x-a'],
    maxBodyBytes: 100,
  },
  { type: 'rbac', name: 'rbac', rbac },
  { type: 'rbac', name: 'dry', rbac: { ...rbac, dryRun: true } },
  {
    type: 'rateLimit',
    name: 'limit',
    bucket: { maxTokens: 100, tokensPerFill: 10, fillIntervalMs: 10 },
    status: 429,
    responseHeaders: [{ name: 'x-limited', value: '100%' }],
  },
  {
    type: 'fault',
    name: 'fault',
    faults: [
      { abort: { status: 503, percentage: 0.5 }, delay: { ms: 10, percentage: 12.5 } },
      {
        principals: [{ spiffeId: { exact: 'spiffe://mesh.test/ns/a/sa/web' } }, { spiffeId: { prefix: 'spiffe://mesh.test/ns/b/' } }],
        responseBandwidth: { bytesPerSecond: 51_200, percentage: 100 },
      },
      {
        notPrincipals: [{ spiffeId: { exact: 'spiffe://mesh.test/ns/a/sa/web' } }],
        delay: { ms: 10, percentage: 100 },
      },
    ],
  },
]
