import type { KubeObject } from '../../src/api/meta/object.ts'

/** An object with whatever its kind has. */
export type PolicyObject = KubeObject & { readonly [field: string]: unknown }

/** A Kuma policy with rules for the pods with these labels. */
export function meshPolicy(
  kind: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  rules: readonly object[],
  namespace = 'shop',
): PolicyObject {
  return {
    apiVersion: 'kuma.io/v1alpha1',
    kind,
    metadata: { name, namespace },
    spec: { targetRef: { kind: 'Dataplane', labels }, rules },
  }
}

/** Sends calls to reviews on to its versions, by weight. */
export function reviewsRoute(namespace: string, weights: Readonly<Record<string, number>>): PolicyObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'reviews', namespace },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'reviews', port: 9080 }],
      rules: [{ backendRefs: Object.entries(weights).map(([name, weight]) => ({ name, port: 9080, weight })) }],
    },
  }
}

/** A service `flaky` of three replicas, one of which answers 500. */
export function flakyReplicas(namespace: string): readonly object[] {
  const program =
    "require('node:http').createServer((_, response) => { response.statusCode = Number(process.env.STATUS); response.end(process.env.ANSWER) })" +
    '.listen(8080, process.env.BIPLANE_POD_IP)'
  const deployment = (name: string, replicas: number, status: string, answer: string): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'flaky', answer } },
      template: {
        metadata: { labels: { app: 'flaky', answer } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'main',
              image: 'node:22',
              args: ['-e', program],
              env: [
                { name: 'STATUS', value: status },
                { name: 'ANSWER', value: answer },
              ],
              ports: [{ containerPort: 8080 }],
              readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'flaky', namespace },
      spec: { selector: { app: 'flaky' }, ports: [{ name: 'http', port: 8080 }] },
    },
    deployment('flaky-whole', 2, '200', 'whole'),
    deployment('flaky-broken', 1, '500', 'broken'),
  ]
}
