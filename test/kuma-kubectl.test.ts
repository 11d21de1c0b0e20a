import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { forEachKubectl, useCluster } from './support/kubectl.ts'

/** What a user of kubectl sees of Kuma's kinds: creating, reading and explaining them, and what is said of the spellings of Kuma 2. */

const cluster = useCluster()
const MANIFEST = new URL('../../shared/manifests/kuma-counter-with-mtls.yaml', import.meta.url)

const confs: Readonly<Record<string, string>> = {
  MeshTrafficPermission: 'rules: [{default: {allow: [{spiffeID: {type: Exact, value: "spiffe://default.mesh.local/ns/a/sa/b"}}]}}]',
  MeshTLS: 'rules: [{default: {mode: Strict}}]',
  MeshTimeout: 'to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: 2s}}]',
  MeshRetry: 'to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 3}}}]',
  MeshCircuitBreaker: 'to: [{targetRef: {kind: Mesh}, default: {connectionLimits: {maxConnections: 5}}}]',
  MeshHealthCheck: 'to: [{targetRef: {kind: Mesh}, default: {http: {path: /health}}}]',
  MeshRateLimit: 'rules: [{default: {local: {http: {requestRate: {num: 5, interval: 10s}}}}}]',
  MeshFaultInjection: 'rules: [{default: {http: [{abort: {httpStatus: 500, percentage: "2.5"}}]}}]',
  MeshLoadBalancingStrategy: 'to: [{targetRef: {kind: Mesh}, default: {loadBalancer: {type: Random}}}]',
  MeshAccessLog: 'rules: [{default: {backends: [{type: File, file: {path: /dev/stdout}}]}}]',
  MeshMetric: 'default: {backends: [{type: Prometheus, prometheus: {port: 5670}}]}',
  MeshTrace: 'default: {backends: [{type: OpenTelemetry, openTelemetry: {endpoint: "otel:4317"}}]}',
  MeshPassthrough: 'default: {passthroughMode: All}',
  MeshProxyPatch: 'default: {appendModifications: [{cluster: {operation: Remove}}]}',
  MeshHTTPRoute: 'to: [{targetRef: {kind: MeshService, name: a}, rules: [{matches: [{path: {type: PathPrefix, value: /}}], default: {}}]}]',
  MeshTCPRoute:
    'to: [{targetRef: {kind: MeshService, name: a}, rules: [{default: {backendRefs: [{kind: MeshService, name: b, port: 80}]}}]}]',
  MeshIdentity: 'provider: {type: Bundled, bundled: {autogenerate: {enabled: true}}}',
  MeshExternalService: 'match: {type: HostnameGenerator, port: 443, protocol: http}\n  endpoints: [{address: api.example.com, port: 443}]',
  MeshService: 'ports: [{port: 80, appProtocol: http}]',
  MeshMultiZoneService: 'selector: {meshService: {matchLabels: {app: a}}}\n  ports: [{port: 80}]',
  HostnameGenerator: 'template: "{{ .DisplayName }}.mesh"\n  selector: {meshService: {matchLabels: {}}}',
  Mesh: 'meshServices: {mode: Exclusive}',
}

const text = (kind: string, name: string, spec: string): string =>
  `apiVersion: kuma.io/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec:\n  ${spec}\n`

forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
  test.each(Object.entries(confs))('%s: applied, found unchanged, shown, explained, deleted', async (kind, spec) => {
    kubectl().file('one.yaml', text(kind, 'one', spec))
    const resource = kind.toLowerCase()
    await kubectl().steps(
      ['apply -f one.yaml', `${resource}.kuma.io/one created`],
      ['apply -f one.yaml', `${resource}.kuma.io/one unchanged`],
      [`get ${resource} one -o name`, `${resource}.kuma.io/one`],
      [`explain ${resource}.spec`, new RegExp(`KIND: +${kind}\\nVERSION: +v1alpha1|GROUP: +kuma\\.io`)],
      ['delete -f one.yaml', new RegExp(`^${resource}\\.kuma\\.io "one" deleted`)],
    )
  })

  test('words of Kuma 2 are taken with a warning, wrong ones refused where they are', async () => {
    kubectl().file(
      'old.yaml',
      text('MeshTrafficPermission', 'old', 'from: [{targetRef: {kind: MeshSubset, tags: {app: a}}, default: {action: Allow}}]'),
    )
    expect(await kubectl().run('apply -f old.yaml')).toMatchObject({
      stderr: expect.stringContaining('Warning: spec.from: deprecated since Kuma 3; use spec.rules') as string,
    })
    kubectl().file('wrong.yaml', text('MeshTimeout', 'wrong', 'to: [{targetRef: {kind: Mesh}, default: {connectionTimeout: soon}}]'))
    await kubectl().steps(
      ['apply -f wrong.yaml', /spec\.to\[0\]\.default\.connectionTimeout: Invalid value: "soon": must be a duration/, 1],
      ['delete -f old.yaml', /deleted/],
    )
  })

  test.skipIf(!existsSync(MANIFEST))('the counter demo with mutual TLS, as it is published', async () => {
    kubectl().file('counter.yaml', readFileSync(MANIFEST, 'utf8'))
    await kubectl().steps(
      ['apply -f counter.yaml', /mesh\.kuma\.io\/default created\nmeshtrafficpermission\.kuma\.io\/kv created/],
      ['get mesh default -o jsonpath={.spec.mtls.enabledBackend}', 'ca-1'],
      ['get meshtrafficpermission kv -n kuma-demo', /Dataplane\/app=kv/],
      ['delete mesh default', /deleted/],
      ['delete namespace kuma-demo', /deleted/],
    )
  })
})
