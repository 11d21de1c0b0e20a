import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { Home, type Running } from './cli-support/biplane.ts'
import { REPOSITORY } from './support/program.ts'
import { poll } from './support/poll.ts'

const missing = labProblem()

describe.skipIf(missing !== '')(`biplane up --network kernel${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  const home = new Home()
  let lab: NetworkLab
  let machine: LabHost
  let visitor: LabHost
  let up: Running

  beforeAll(async () => {
    lab = await createNetworkLab()
    machine = await lab.host('machine')
    visitor = await lab.host('visitor')
    await lab.segment([
      { host: machine, device: 'eth0', addresses: ['192.168.50.1/24'] },
      { host: visitor, device: 'eth0', addresses: ['192.168.50.2/24'] },
    ])
    const flags = ['--data-dir', home.dataDir, '--network', 'kernel', '--address', '192.168.50.1', '-f', `${REPOSITORY}/examples/shop`]
    up = machine.inside(() => home.start('up', ...flags))
    await up.says('Ctrl-C ends it', 90_000)
  }, 120_000)
  afterAll(async () => {
    up?.signal('SIGKILL')
    home.remove()
    await lab?.remove()
  })

  const tables = async (): Promise<string> => machine.must(['nft', 'list', 'tables'])

  test('the example runs on pods with addresses of their own, and says where it can be reached', async () => {
    const url = /192\.168\.50\.1:30080/.exec(up.output)?.[0]
    expect(url).toBeDefined()
    const page = await visitor.must(['curl', '-sS', '--max-time', '5', `http://${url}/`])
    expect(page).toContain('Welcome to the shop')
    const pods = await machine.inside(() => home.run('get', 'pods', '-o', 'wide', '--kubeconfig', home.kubeconfig))
    expect(pods.stdout.match(/ 10\.244\.0\.\d+ /g)).toHaveLength(6)
    expect(await tables()).toContain('table inet biplane-policy')
  })

  test('names of services are answered on the machine, too', async () => {
    const { stdout } = await machine.run(['dig', '+short', '@169.254.20.10', 'api.default.svc.cluster.local'])
    expect(stdout).toMatch(/^10\.96\.\d+\.\d+$/m)
  })

  test('at the end nothing of it is left in the kernel', async () => {
    up.signal('SIGINT')
    expect(await up.ended).toMatchObject({ exitCode: 0 })
    await poll('no process is left', () => (home.processes().length === 0 ? true : undefined))
    expect(await tables()).not.toContain('biplane')
    expect(await machine.must(['ip', 'route', 'show', 'proto', '191'])).toBe('')
    // the kernel takes namespaces down with what is in them, in its own time
    await poll('no interface is left', async () => (/^bp/m.test(await machine.must(['ip', '-br', 'link'])) ? undefined : true))
  })
})
