import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  builtinRecipes,
  type ContainerPlan,
  expandAll,
  filesDirOf,
  matchRecipe,
  planContainer,
  recipeVariables,
} from '../src/data-plane/node/recipes/index.ts'
import type { Runtime } from '../src/data-plane/node/runtime.ts'
import { RuntimeFixture } from './runtime-process-fixture.ts'

const searchPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
const installed = (program: string): boolean => searchPath.split(':').some((dir) => existsSync(join(dir, program)))

let fixture: RuntimeFixture
beforeEach(() => {
  fixture = new RuntimeFixture()
})
afterEach(() => fixture.close())

/** Runs an image by its built-in recipe; gives the pod's address. */
async function runImage(runtime: Runtime, image: string, uid: string): Promise<string> {
  const sandbox = await runtime.ensureSandbox({ metadata: { name: uid, uid } })
  const plan = planContainer({ name: 'main', image }, matchRecipe(image, builtinRecipes(installed))) as ContainerPlan
  const env = { PATH: searchPath, ...recipeVariables(sandbox, 'main'), ...plan.env }
  const dir = filesDirOf(sandbox, 'main')
  await mkdir(dir, { recursive: true })
  for (const file of plan.files) await writeFile(join(dir, file.path), file.content, { mode: file.mode })
  const container = { name: 'main', image, restartCount: 0, mounts: [], limits: {}, env, command: expandAll(plan.command, env) }
  await runtime.startContainer(await runtime.createContainer(sandbox, container))
  return sandbox.ips[0] ?? ''
}

/** What the server answers, tried for at most 10 s until it listens. */
async function ask(host: string, port: number, text: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await new Promise((resolve, reject) => {
        const socket = connect(port, host, () => socket.write(text))
        socket.once('data', (data) => {
          socket.destroy()
          resolve(data.toString())
        })
        socket.once('error', reject)
      })
    } catch (error) {
      if (tries === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

for (const [image, program, port, question, answer] of [
  ['redis:7-alpine', 'redis-server', 6379, 'PING\r\n', /^\+PONG/],
  ['docker.io/library/memcached:1.6', 'memcached', 11_211, 'version\r\n', /^VERSION /],
  ['nginx:1.27', 'nginx', 80, 'GET / HTTP/1.0\r\n\r\n', /^HTTP\/1.1 (200|403|404) [^]*Server: nginx/],
] as const) {
  const reason = installed(program) ? '' : ` (skipped: ${program} is not installed)`
  test.skipIf(reason !== '')(`two replicas of ${image} run beside each other, each on its pod’s address${reason}`, async () => {
    const runtime = fixture.runtime({ podCidr: '127.64.7.0/24' })
    const addresses = [await runImage(runtime, image, 'a'), await runImage(runtime, image, 'b')]
    for (const address of addresses) expect(await ask(address, port, question)).toMatch(answer)
  })
}
