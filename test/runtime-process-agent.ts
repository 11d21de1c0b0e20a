import { systemClock } from '../src/base/clock.ts'
import { silentLogger } from '../src/base/log.ts'
import { createProcessRuntime } from '../src/data-plane/node/runtimes/process/index.ts'

// An agent to be killed: starts what its argument lists, says so, and waits for its end.
const { rootDir, podCidr, containers } = JSON.parse(process.argv[2] ?? '{}') as {
  rootDir: string
  podCidr: string
  containers: { name: string; command: string[]; env: Record<string, string> }[]
}
const runtime = createProcessRuntime({ rootDir, podCidr, nodeName: 'test', clock: systemClock, log: silentLogger })
const keepAlive = setInterval(() => {}, 1000)
for (const container of containers) {
  const sandbox = await runtime.ensureSandbox({ metadata: { name: container.name, uid: container.name } })
  await runtime.startContainer(
    await runtime.createContainer(sandbox, { image: 'host', restartCount: 0, mounts: [], limits: {}, ...container, name: 'main' }),
  )
}
process.stdout.write('ready\n')
process.stdin.on('end', () => clearInterval(keepAlive)).resume()
