import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { forEachKubectl, useCluster } from './support/kubectl.ts'

/** Kinds of Gateway API as a user of kubectl sees them: apply, get, explain, refusals, older versions. */

const cluster = useCluster()
const api = 'gateway.networking.k8s.io'

const OBJECTS = (version: string): string => `
apiVersion: ${api}/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: none-${version}
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: tls, port: 443, protocol: TLS, hostname: '*.example.com', tls: {mode: Passthrough}}
---
apiVersion: ${api}/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: edge}, {group: '', kind: Service, name: web}]
  hostnames: [shop.example.com]
  rules: [{backendRefs: [{name: web, port: 80}]}]
---
apiVersion: ${api}/v1
kind: GRPCRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: edge}]
  rules: [{matches: [{method: {service: shop.Cart}}], backendRefs: [{name: cart, port: 9000}]}]
---
apiVersion: ${api}/v1
kind: TLSRoute
metadata: {name: pass}
spec:
  hostnames: [a.example.com]
  rules: [{backendRefs: [{name: web, port: 443}]}]
---
apiVersion: ${api}/v1
kind: TCPRoute
metadata: {name: db}
spec: {rules: [{backendRefs: [{name: db, port: 5432}]}]}
---
apiVersion: ${api}/v1beta1
kind: ReferenceGrant
metadata: {name: grant}
spec:
  from: [{group: ${api}, kind: HTTPRoute, namespace: default}]
  to: [{group: '', kind: Service}]
---
apiVersion: ${api}/v1
kind: BackendTLSPolicy
metadata: {name: web}
spec:
  targetRefs: [{group: '', kind: Service, name: web}]
  validation: {hostname: web.example.com, wellKnownCACertificates: System}
---
apiVersion: ${api}/v1
kind: ListenerSet
metadata: {name: more}
spec:
  parentRef: {name: edge}
  listeners: [{name: extra, port: 8080, protocol: HTTP}]
`

const CREATED = [
  'gateway.gateway.networking.k8s.io/edge',
  'httproute.gateway.networking.k8s.io/web',
  'grpcroute.gateway.networking.k8s.io/cart',
  'tlsroute.gateway.networking.k8s.io/pass',
  'tcproute.gateway.networking.k8s.io/db',
  'referencegrant.gateway.networking.k8s.io/grant',
  'backendtlspolicy.gateway.networking.k8s.io/web',
  'listenerset.gateway.networking.k8s.io/more',
]

const BOOKINFO = fileURLToPath(new URL('../../shared/manifests/bookinfo/bookinfo-gateway.yaml', import.meta.url))

forEachKubectl(['1.35', '1.30'], cluster, (kubectl) => {
  test('apply, get, edit, explain', async () => {
    const version = kubectl().namespace
    kubectl().file('gateway.yaml', OBJECTS(version))
    kubectl().file(
      'class.yaml',
      `apiVersion: ${api}/v1\nkind: GatewayClass\nmetadata: {name: none-${version}}\nspec: {controllerName: example.com/none, description: nobody's}\n`,
    )
    await kubectl().steps(
      ['apply -f class.yaml', `gatewayclass.${api}/none-${version} created`],
      [`get gc none-${version}`, new RegExp(`^NAME +CONTROLLER +ACCEPTED +AGE\\nnone-${version} +example.com/none +Unknown +\\S+$`)],
      [`get gc none-${version} -o wide`, /nobody's$/],
      ['apply -f gateway.yaml', CREATED.map((name) => `${name} created`).join('\n')],
      // kubectl says `configured` where defaults stand in lists, as for all kinds it has no Go types of; the generation tells that nothing changed
      ['apply -f gateway.yaml', new RegExp(`^${CREATED.map((name) => `${name} (unchanged|configured)`).join('\\n')}$`)],
      ['get gtw edge -o jsonpath={.metadata.generation}', '1'],
      ['get gtw', new RegExp(`^NAME +CLASS +ADDRESS +PROGRAMMED +AGE\\nedge +none-${version} +Unknown +\\S+$`)],
      ['get httproutes', /^NAME +HOSTNAMES +AGE\nweb +\["shop\.example\.com"\] +\S+$/],
      ['get grpcroutes,tcproutes,tlsroutes -o name', /grpcroute[^]*cart\n[^]*tcproute[^]*db\n[^]*tlsroute[^]*pass$/],
      ['get refgrant,btlspolicy,lset -o name', /referencegrant[^]*grant\n[^]*backendtlspolicy[^]*web\n[^]*listenerset[^]*more$/],
      [
        'get httproute web -o jsonpath={.spec.parentRefs[*].kind}/{.spec.parentRefs[1].group}/{.spec.rules[0].matches[0].path.value}',
        'Gateway Service///',
      ],
      [`get httproutes.v1beta1.${api} web -o jsonpath={.apiVersion}`, `${api}/v1beta1`],
      [`get referencegrants.v1.${api} grant -o jsonpath={.apiVersion}/{.spec.to[0].kind}`, `${api}/v1/Service`],
      [`get tlsroutes.v1alpha2.${api} pass -o jsonpath={.apiVersion}`, `${api}/v1alpha2`],
      ['patch gtw edge --type=merge -p \'{"spec":{"infrastructure":{"labels":{"a":"b"}}}}\'', `gateway.${api}/edge patched`],
      [
        'patch gtw edge --subresource=status --type=merge -p \'{"status":{"addresses":[{"value":"192.0.2.1"}]}}\'',
        `gateway.${api}/edge patched`,
      ],
      [
        'get gtw edge -o jsonpath={.metadata.generation}/{.status.addresses[0].type}/{.status.conditions[*].reason}',
        '2/IPAddress/Pending Pending',
      ],
      ['explain httproute.spec.rules.timeouts.backendRequest', /FIELD: backendRequest <string>[^]*One try\. At most request\./],
      ['explain gateway.spec.listeners.tls.mode', /enum: Passthrough, Terminate|Passthrough[^]*Terminate|Terminate[^]*Passthrough/],
      ['explain listenerset.spec.parentRef', /FIELD: parentRef[^]*The gateway that gets them/],
      [`explain referencegrant --api-version=${api}/v1beta1`, /VERSION: +v1beta1/],
      ['describe httproute web', /Hostnames:\n +shop\.example\.com/],
    )
  })

  test('what is wrong is refused, with its place', async () => {
    const refused = (spec: string): string => `apiVersion: ${api}/v1\nkind: HTTPRoute\nmetadata: {name: bad}\nspec: ${spec}\n`
    kubectl().file('bad-path.yaml', refused('{rules: [{matches: [{path: {value: no-slash}}]}]}'))
    kubectl().file('bad-filter.yaml', refused('{rules: [{filters: [{type: URLRewrite}]}]}'))
    kubectl().file('bad-field.yaml', refused('{rules: [{matchs: []}]}'))
    await kubectl().steps(
      ['apply -f bad-path.yaml', /spec\.rules\[0\]\.matches\[0\]\.path\.value: Invalid value: "no-slash": must be an absolute path/, 1],
      ['apply -f bad-filter.yaml', /spec\.rules\[0\]\.filters\[0\]\.urlRewrite: Required value: must be set for type URLRewrite/, 1],
      ['apply -f bad-field.yaml', /unknown field "spec\.rules\[0\]\.matchs"/, 1],
    )
  })

  test.skipIf(!existsSync(BOOKINFO))('the gateway of bookinfo (skipped where the manifest is not at hand)', async () => {
    kubectl().file('bookinfo-gateway.yaml', readFileSync(BOOKINFO, 'utf8'))
    await kubectl().steps(
      ['apply -f bookinfo-gateway.yaml', `gateway.${api}/bookinfo-gateway created\nhttproute.${api}/bookinfo created`],
      ['get httproute bookinfo -o jsonpath={.spec.rules[0].matches[*].path.type}', 'Exact PathPrefix Exact Exact PathPrefix'],
    )
    expect((await kubectl().run('delete -f bookinfo-gateway.yaml')).code).toBe(0)
  })
})
