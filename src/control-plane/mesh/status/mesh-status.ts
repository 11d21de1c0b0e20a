import { meshAuthorizationPolicies, meshRequestAuthentications } from '../../../api/biplane.dev/v1alpha1/mesh-request-policies.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { meshHttpRoutes, meshPolicies, meshTcpRoutes } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import { sleep } from '../../../base/clock.ts'
import { timestamp } from '../../../base/timestamp.ts'
import type { Manager } from '../../../controller/contract.ts'
import type { Finding, MeshWorld } from '../../../policy/traffic/input/index.ts'
import { originName, type Origin } from '../../../policy/traffic/model/index.ts'
import type { MeshControl } from '../control/index.ts'
import { planConditions, type PolicyObject } from './plan-conditions.ts'
import { programmedOf, wasProgrammed, type ObjectFacts } from './programmed.ts'

/** Conditions are worked out at most this often, however many proxies confirm; and in a tenth of the time at most. */
const ROUND_MS = 500
const SHARE = 10
/** After a write that failed for another reason than that its object has changed. */
const FAILED_MS = 10_000
/** Statuses that are written in one round; the rest has to wait for the next. */
const WRITES = 50

const KINDS: ReadonlyMap<string, KindDefinition<any>> = new Map(
  [...meshPolicies, meshHttpRoutes, meshTcpRoutes, meshRequestAuthentications, meshAuthorizationPolicies].map((kind) => [kind.kind, kind]),
)

type Control = Pick<MeshControl, 'built' | 'findings' | 'quarantine' | 'xds' | 'isDue' | 'problem' | 'refusals' | 'objects' | 'onChange'>

/**
 * Writes the conditions of Kuma's policies and routes and of the mesh's own policies: only where they differ, and nothing while nothing happens. Statuses are not
 * what the mesh is compiled from, so that no write leads to another.
 */
export function addMeshStatus(manager: Manager, control: Control): void {
  manager.addTask('mesh-status', async (signal) => {
    const { clock } = manager
    const changes = new Changes()
    const stop = control.onChange(() => changes.tell())
    signal.addEventListener('abort', () => changes.tell(), { once: true })
    changes.tell()
    let refusals = -1
    try {
      while (!signal.aborted) {
        await changes.wait()
        if (signal.aborted) return
        const start = clock.monotonic()
        const { refusals: seen } = control
        const result = await round(manager, control, seen !== refusals, signal)
        if (result === 'done') refusals = seen
        else changes.tell()
        const waitMs = result === 'failed' ? FAILED_MS : Math.max(ROUND_MS, SHARE * (clock.monotonic() - start))
        await sleep(clock, waitMs, signal).catch(() => {})
      }
    } finally {
      stop()
    }
  })
}

/** @returns whether everything was looked at and written */
async function round(manager: Manager, control: Control, mayBeRefused: boolean, signal: AbortSignal): Promise<'done' | 'again' | 'failed'> {
  // what is in the lists is not what is compiled
  if (control.isDue) return 'again'
  const facts = new Facts(control, mayBeRefused)
  const now = timestamp(manager.clock.now())
  const results: ('done' | 'again' | 'failed')[] = []
  for (const object of control.objects() as readonly PolicyObject[]) {
    const kind = KINDS.get(object.kind ?? '')
    if (!kind) continue
    const conditions = planConditions(object, { ...facts.of(kind.kind, object), findings: facts.findingsOf(kind.kind, object) }, now)
    if (conditions === object.status?.conditions) continue
    if (results.length >= WRITES) return 'again'
    results.push(await write(manager, kind, { ...object, status: { ...object.status, conditions } } as KubeObject, signal))
  }
  return results.find((result) => result !== 'done') ?? 'done'
}

async function write(
  manager: Manager,
  kind: KindDefinition<any>,
  object: KubeObject,
  signal: AbortSignal,
): Promise<'done' | 'again' | 'failed'> {
  try {
    await manager.client.of<KubeObject>(kind).updateStatus(object, { signal })
    return 'done'
  } catch (error) {
    if (signal.aborted || isStatus(error, 'NotFound')) return 'done'
    if (isStatus(error, 'Conflict')) return 'again'
    const { namespace, name } = object.metadata
    manager.log.warn('the status of a policy could not be written', { kind: kind.kind, namespace, name, error: messageOf(error) })
    return 'failed'
  }
}

/** Whether proxies carry out a Gateway or a route of Gateway API as it is now, for whoever writes its status. */
export function programmedBy(control: () => Control | undefined): (kind: string, object: KubeObject) => { ok: boolean; message: string } {
  return (kind, object) => {
    const running = control()
    if (!running?.built || running.isDue) return { ok: wasProgrammed(object), message: 'It has not been compiled yet' }
    const facts = new Facts(running, true).of(kind, object)
    const { ok, message } = programmedOf(facts, wasProgrammed(object))
    // what listens is a proxy: a gateway without one is none
    if (ok && kind === 'Gateway' && facts.acks().total === 0) return { ok: false, message: 'No proxy of the gateway is connected yet' }
    return { ok, message }
  }
}

/** What is known at one moment. */
class Facts {
  readonly #control: Control
  readonly #mayBeRefused: boolean
  #findings: ReadonlyMap<string, readonly Finding[]> | undefined

  constructor(control: Control, mayBeRefused: boolean) {
    this.#control = control
    this.#mayBeRefused = mayBeRefused
  }

  of(kind: string, object: KubeObject): ObjectFacts {
    const origin = originOf(kind, object)
    const { problem, xds, quarantine } = this.#control
    const compiled = this.#known().get(originName(origin))
    const isOld = compiled !== undefined && (compiled.uid !== origin.uid || compiled.generation !== origin.generation)
    const pending =
      problem !== undefined && (isOld || !compiled)
        ? `The mesh could not be compiled: ${problem}`
        : isOld
          ? 'It has not been compiled yet'
          : undefined
    return {
      acks: () => xds.truth.of(origin),
      quarantined: quarantine.of(origin),
      mayBeRefused: this.#mayBeRefused,
      ...(pending === undefined ? {} : { pending }),
    }
  }

  findingsOf(kind: string, object: KubeObject): readonly Finding[] {
    this.#findings ??= grouped(this.#control.findings)
    return this.#findings.get(originName(originOf(kind, object))) ?? []
  }

  #known(): ReadonlyMap<string, Origin> {
    const { world } = this.#control.built ?? {}
    if (!world) return new Map()
    let origins = ORIGINS.get(world)
    if (!origins) {
      origins = new Map([...world.policies, ...world.routes].map(({ origin }) => [originName(origin), origin]))
      ORIGINS.set(world, origins)
    }
    return origins
  }
}

/** Asked of the same world for each object. */
const ORIGINS = new WeakMap<MeshWorld, ReadonlyMap<string, Origin>>()

function originOf(kind: string, { metadata }: KubeObject): Origin {
  const { namespace = '', name, uid, generation } = metadata
  return { kind, group: '', namespace, name, ...(uid === undefined ? {} : { uid }), ...(generation === undefined ? {} : { generation }) }
}

function grouped(findings: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const map = new Map<string, Finding[]>()
  for (const finding of findings) {
    const name = originName(finding.origin)
    const list = map.get(name)
    if (list) list.push(finding)
    else map.set(name, [finding])
  }
  return map
}

/** One flag, for one who waits for it. */
class Changes {
  #isTold = false
  #wake: (() => void) | undefined

  tell(): void {
    this.#isTold = true
    this.#wake?.()
  }

  /** Resolves once there is something that it was not resolved for yet. */
  async wait(): Promise<void> {
    if (!this.#isTold) await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
    this.#isTold = false
  }
}
