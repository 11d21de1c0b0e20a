import { join } from 'node:path'
import { expect, test } from 'vitest'
import { clients, Client, useCluster } from './support/kubectl.ts'

/** An unmodified helm on the cluster. Without `--server-side=false` helm 4 uses server-side apply, which this server does not offer yet. */

const CHART = join(import.meta.dirname, 'fixtures/chart')
const missing = clients.helm && clients.kubectl['1.35'] ? '' : ' (skipped: helm and kubectl 1.35 are not to be had on this machine)'
const cluster = useCluster()

test.skipIf(missing !== '')(`helm installs, lists, upgrades, rolls back and uninstalls a chart${missing}`, async () => {
  const options = { cluster: cluster(), namespace: 'charts' }
  const kubectl = new Client(clients.kubectl['1.35'] ?? '', options)
  const helm = new Client(clients.helm ?? '', options)
  await kubectl.makeNamespace()
  const flags = '--server-side=false --wait --timeout=20s'
  const logs = async (): Promise<string> => (await kubectl.ok('logs deploy/one')).trim()

  await helm.steps(
    [`install one ${CHART} ${flags}`, /^NAME: one\n[^]*NAMESPACE: charts\nSTATUS: deployed\nREVISION: 1\n[^]*NOTES:\none says hello\.$/],
    [
      'list',
      /^NAME\s+NAMESPACE\s+REVISION\s+UPDATED\s+STATUS\s+CHART\s+APP VERSION\s*\none\s+charts\s+1\s+.*\s+deployed\s+greeter-0\.1\.0\s+1\s*$/,
    ],
    ['get values one --all', /greeting: hello\nreplicas: 1/],
    ['get manifest one', /kind: ConfigMap[^]*kind: Deployment/],
  )
  expect(await logs()).toBe('hello')
  await kubectl.steps(
    ['get secret -l owner=helm,name=one', /^sh\.helm\.release\.v1\.one\.v1 +helm\.sh\/release\.v1 +1 /m],
    ['get deploy one', /^one +1\/1 +1 +1 /m],
    ['get cm one -o jsonpath={.metadata.annotations}', '{"meta.helm.sh/release-name":"one","meta.helm.sh/release-namespace":"charts"}'],
  )

  await helm.steps(
    [`install one ${CHART} ${flags}`, /cannot reuse a name that is still in use/, 1],
    [
      `upgrade one ${CHART} ${flags} --set greeting=bonjour --set replicas=2`,
      /Release "one" has been upgraded[^]*REVISION: 2\n[^]*one says bonjour\.$/,
    ],
    ['status one', /STATUS: deployed\nREVISION: 2/],
  )
  await kubectl.steps(['get deploy one', /^one +2\/2 +2 +2 /m], ['get cm one -o jsonpath={.data.greeting}', 'bonjour'])

  await helm.steps(
    [`rollback one 1 ${flags}`, /Rollback was a success/],
    ['history one', /^REVISION\s[^]*\n1\s+.*superseded[^]*\n2\s+.*superseded[^]*\n3\s+.*deployed\s+.*Rollback to 1/],
  )
  await kubectl.steps(['get deploy one', /^one +1\/1 +1 +1 /m], ['get cm one -o jsonpath={.data.greeting}', 'hello'])

  await helm.steps(['uninstall one --wait --timeout=20s', 'release "one" uninstalled'], ['list -q', ''])
  await kubectl.steps(['get all,cm,secret -o name', 'configmap/kube-root-ca.crt'])
})

test.skipIf(missing !== '')(`helm says what a server without server-side apply lacks${missing}`, async () => {
  const helm = new Client(clients.helm ?? '', { cluster: cluster(), namespace: 'default' })
  await helm.steps(
    [`install two ${CHART}`, /server-side apply \(application\/apply-patch\+yaml\) is not supported by this server/, 1],
    ['uninstall two', /release "two" uninstalled/],
  )
})
