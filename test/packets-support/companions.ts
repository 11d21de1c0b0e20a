import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import type { LabCluster } from '../support/lab-cluster.ts'
import { poll } from '../support/poll.ts'
import { REPOSITORY } from '../support/program.ts'

interface Companion {
  readonly pid: number
  /** What was started: program, version and flags. */
  readonly launch: string
}

/** The process beside a node's agent, once there is one that differs from `before`. */
export function companion(cluster: LabCluster, node: string, role: 'dns' | 'router', before?: Companion): Promise<Companion> {
  const file = join(dataLayout(cluster.node(node).dataDir).node(node).state, `${role}.process.json`)
  return poll(`${role} of node ${node} runs`, () => {
    const { running } = JSON.parse(readFileSync(file, 'utf8')) as { readonly running?: Companion }
    return running && running.pid !== before?.pid && isAlive(running.pid) ? running : undefined
  })
}

/** The last lines of what a node's router has said. */
export function routerLog(cluster: LabCluster, node: string): string {
  const file = join(dataLayout(cluster.node(node).dataDir).node(node).state, 'router.log')
  return `--- router of ${node}\n${readFileSync(file, 'utf8').split('\n').slice(-60).join('\n')}`
}

/** Another build of the program, as an upgrade brings it. @returns its path */
export function anotherBuild(dir: string): string {
  const dist = join(dir, 'upgrade', 'dist')
  mkdirSync(dist, { recursive: true })
  cpSync(join(REPOSITORY, 'dist'), dist, { recursive: true })
  // what is not in the bundle is found above it
  symlinkSync(join(REPOSITORY, 'node_modules'), join(dir, 'upgrade', 'node_modules'))
  const package_ = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { readonly version: string }
  writeFileSync(join(dir, 'upgrade', 'package.json'), JSON.stringify({ type: 'module' }))
  const program = join(dist, 'biplane.js')
  writeFileSync(program, `${readFileSync(program, 'utf8')}\n// after ${package_.version}, ${readdirSync(dist).length} files\n`)
  return program
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
