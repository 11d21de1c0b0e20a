import { isConditionTrue } from '../../api/conditions.ts'
import { CliError } from '../errors/cli-error.ts'
import type { Guide } from './run-tour.ts'

const WAIT_MS = 30_000

/** The stations of the tour. */
export async function tour(guide: Guide): Promise<void> {
  await startCluster(guide)
  const url = await deploy(guide)
  await scale(guide)
  await killReplica(guide)
  await rollOut(guide, url)
  await rollBack(guide, url)
  guide.say('That was it. Ending the cluster and removing its files; your kubeconfig was not touched.')
}

async function startCluster({ say, show, cluster }: Guide): Promise<void> {
  say('A cluster of its own: control plane and node, two processes, no container engine')
  const args = ['--data-dir', cluster.dataDir, '--listen', '127.0.0.1:0', '--no-kubeconfig']
  show(`biplane up ${args.join(' ')} &`, '')
  await cluster.start(args)
  show(`export KUBECONFIG=${cluster.kubeconfig}`, '')
}

async function deploy({ say, run, show, cluster, example }: Guide): Promise<string> {
  say('Declare the shop: three deployments and their services')
  await run('apply', '-f', example)
  for (const name of ['orders', 'api', 'web']) await run('rollout', 'status', `deployment/${name}`, '--timeout', '60s')
  await run('get', 'pods', '-o', 'wide')
  const url = await cluster.serviceUrl('web')
  show(`curl ${url}`, await page(cluster, url))
  return url
}

async function scale({ say, run }: Guide): Promise<void> {
  say('More of one part')
  await run('scale', 'deployment/api', '--replicas', '5')
  await run('rollout', 'status', 'deployment/api', '--timeout', '60s')
  await run('get', 'deployment', 'api')
}

async function killReplica({ say, run, show, cluster }: Guide): Promise<void> {
  say('Kill a replica behind its back')
  const [victim] = await cluster.pods('api')
  if (!victim) throw new CliError('the shop has no pods called api')
  const pid = cluster.processOf(victim)
  const before = victim.status?.containerStatuses?.[0]?.restartCount ?? 0
  process.kill(pid, 'SIGKILL')
  const tookMs = await cluster.until('the killed replica is back', WAIT_MS, async () => {
    const pod = (await cluster.pods('api')).find(({ metadata }) => metadata.uid === victim.metadata.uid)
    const restarts = pod?.status?.containerStatuses?.[0]?.restartCount ?? 0
    return restarts > before && isConditionTrue(pod?.status?.conditions, 'Ready')
  })
  show(`kill -9 ${pid}`, `(${victim.metadata.name} was ready again after ${seconds(tookMs)})`)
  await run('get', 'pods', '-l', 'app=api')
  say('Delete a whole pod: its replica set makes another')
  const [other] = (await cluster.pods('api')).filter(({ metadata }) => metadata.uid !== victim.metadata.uid)
  await run('delete', 'pod', other?.metadata.name ?? '', '--no-wait')
  await run('rollout', 'status', 'deployment/api', '--timeout', '60s')
}

async function rollOut({ say, run, show, cluster }: Guide, url: string): Promise<void> {
  say('Roll out a new version while somebody keeps asking')
  const traffic = cluster.traffic(url)
  await run('set', 'image', 'deployment/web', 'web=shop/web:2')
  await run('rollout', 'status', 'deployment/web', '--timeout', '60s')
  const { sent, failed } = await traffic.stop()
  show(`curl ${url}`, await page(cluster, url, 'web 2'))
  say(`${sent} requests were sent meanwhile, ${failed} failed`)
}

async function rollBack({ say, run, show, cluster }: Guide, url: string): Promise<void> {
  say('It was a mistake: roll back')
  await run('rollout', 'undo', 'deployment/web')
  await run('rollout', 'status', 'deployment/web', '--timeout', '60s')
  await run('rollout', 'history', 'deployment/web')
  show(`curl ${url}`, await page(cluster, url, 'web 1'))
}

/** The page, once it comes from the version that is expected. */
async function page(cluster: Guide['cluster'], url: string, version = ''): Promise<string> {
  let text = ''
  await cluster.until(`the shop answers${version === '' ? '' : ` as ${version}`}`, WAIT_MS, async () => {
    text = await cluster.get(url)
    return text.includes(version)
  })
  return text
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
