import type { KindDefinition } from '../../api/kind.ts'
import { isStatus } from '../../base/errors.ts'
import { sleep } from '../../base/clock.ts'
import type { DeleteOptions } from '../../client/client.ts'
import { readManifests } from '../apply/read-manifests.ts'
import { connect, type Session } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError, EXIT, usageError } from '../errors/cli-error.ts'
import { explainError, renderError } from '../errors/render-error.ts'
import { checkSelection, namespaceFor, resolveTargets } from '../objects/fetch-objects.ts'
import { displayName, kindOfObject } from '../objects/find-kind.ts'
import type { ConnectOptions } from '../program/options.ts'

interface DeleteCommandOptions extends ConnectOptions {
  readonly filename: readonly string[]
  readonly selector?: string
  readonly all?: boolean
  readonly gracePeriod?: number
  readonly force?: boolean
  readonly ignoreNotFound?: boolean
  readonly wait: boolean
  readonly timeout: number
  readonly cascade?: 'background' | 'foreground' | 'orphan'
  readonly output?: 'name'
}

interface Victim {
  readonly kind: KindDefinition
  readonly name: string
  readonly namespace: string | undefined
  /** Tells it from a successor of the same name. */
  uid?: string | undefined
}

const POLL_MS = 200

/** `biplane delete`. */
export async function runDelete(context: CliContext, what: readonly string[], options: DeleteCommandOptions): Promise<number> {
  if (what.length === 0 && options.filename.length === 0) throw usageError('say what to delete: KIND NAME, KIND/NAME, or -f FILE')
  await using session = connect(context, options)
  const victims = what.length > 0 ? await namedVictims(session, what, options) : await manifestVictims(context, session, options)
  const deleted: Victim[] = []
  let failed = false
  for (const victim of victims) {
    try {
      await deleteOne(session, victim, options)
      deleted.push(victim)
      const name = displayName(victim.kind, victim.name)
      context.out.write(options.output === 'name' ? `${name}\n` : `${name} deleted\n`)
    } catch (error) {
      if (isStatus(error, 'NotFound') && options.ignoreNotFound) continue
      failed = true
      context.err.write(renderError(explainError(error), { debug: false }))
    }
  }
  if (victims.length === 0 && !failed) context.out.write('No resources found\n')
  if (options.wait) await awaitGone(context, session, { victims: deleted, timeoutMs: options.timeout })
  return failed ? EXIT.failure : EXIT.ok
}

async function namedVictims(session: Session, what: readonly string[], options: DeleteCommandOptions): Promise<readonly Victim[]> {
  const victims: Victim[] = []
  const selection = options.selector === undefined ? {} : { selector: options.selector }
  for (const { kind, names } of await resolveTargets(session, what)) {
    checkSelection(names, selection)
    const namespace = namespaceFor(session, kind, {})
    if (names.length === 0 && options.selector === undefined && !options.all) {
      throw usageError(`say which ${kind.plural} to delete`, 'give names, a selector (-l) or --all')
    }
    const listed =
      names.length > 0
        ? []
        : await session.client
            .of(kind)
            .listAll({ namespace, ...(options.selector === undefined ? {} : { labelSelector: options.selector }) })
    const all = names.length > 0 ? names : 'items' in listed ? listed.items.map(({ metadata }) => metadata.name) : []
    victims.push(...all.map((name) => ({ kind, name, namespace })))
  }
  return victims
}

/** What depends on others goes first: the order of the files, backwards. */
async function manifestVictims(context: CliContext, session: Session, options: DeleteCommandOptions): Promise<readonly Victim[]> {
  const victims: Victim[] = []
  for (const manifest of (await readManifests(context, options.filename)).toReversed()) {
    const { object } = manifest
    const kind = await kindOfObject(session.discovery, object, `${manifest.fileName}:${manifest.line}:1`)
    const namespace = kind.namespaced ? (object.metadata.namespace ?? session.namespace) : undefined
    if (object.metadata.name !== undefined) victims.push({ kind, name: object.metadata.name, namespace })
  }
  return victims
}

const CASCADE = { background: 'Background', foreground: 'Foreground', orphan: 'Orphan' } as const

async function deleteOne(session: Session, victim: Victim, options: DeleteCommandOptions): Promise<void> {
  const gracePeriodSeconds = options.force ? 0 : options.gracePeriod
  const details: DeleteOptions = {
    namespace: victim.namespace,
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(options.cascade ? { propagationPolicy: CASCADE[options.cascade] } : {}),
  }
  const answer = (await session.client.of(victim.kind).delete(victim.name, details)) as {
    metadata?: { uid?: string }
    details?: { uid?: string }
  }
  victim.uid = answer.metadata?.uid ?? answer.details?.uid
}

async function awaitGone(
  { clock }: CliContext,
  session: Session,
  { victims, timeoutMs }: { readonly victims: readonly Victim[]; readonly timeoutMs: number },
): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs
  const alive = setInterval(() => {}, 1_000)
  try {
    for (const victim of victims) {
      while (await isThere(session, victim)) {
        if (clock.monotonic() > deadline) {
          const name = displayName(victim.kind, victim.name)
          throw new CliError(`${name} is still there after ${timeoutMs / 1000} s`, {
            why: 'something may hold a finalizer on it, or its end takes longer',
            fix: `see: biplane describe ${name}`,
          })
        }
        await sleep(clock, POLL_MS)
      }
    }
  } finally {
    clearInterval(alive)
  }
}

async function isThere(session: Session, { kind, name, namespace, uid }: Victim): Promise<boolean> {
  try {
    const object = await session.client.of(kind).get(name, { namespace })
    return uid === undefined || object.metadata.uid === uid
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false
    throw error
  }
}
