import type { Container, PodTemplateSpec } from '../../api/generated/types.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { connect } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { CliError, usageError } from '../errors/cli-error.ts'
import { didYouMean } from '../errors/did-you-mean.ts'
import { fetchObjects } from '../objects/fetch-objects.ts'
import { displayName } from '../objects/find-kind.ts'
import type { ConnectOptions } from '../program/options.ts'

interface SetOptions extends ConnectOptions {
  readonly what: string
  readonly pairs: readonly string[]
}

type Templated = KubeObject & { readonly spec?: { readonly template?: PodTemplateSpec } }

/** `biplane set env`. */
export async function runSetEnv(context: CliContext, options: SetOptions & { readonly container: readonly string[] }): Promise<void> {
  const changes = options.pairs.map(parseEnv)
  await patchContainers(context, options, (containers) => {
    for (const name of options.container) checkContainer(containers, name)
    const chosen = containers.filter(({ name }) => options.container.length === 0 || options.container.includes(name))
    return chosen.map(({ name }) => ({ name, env: changes }))
  })
}

/** `biplane set image`. */
export async function runSetImage(context: CliContext, options: SetOptions): Promise<void> {
  const wanted = options.pairs.map((pair) => {
    const [name, image] = split(pair)
    if (!name || !image) throw usageError(`"${pair}" is not CONTAINER=IMAGE`)
    return { name, image }
  })
  await patchContainers(context, options, (containers) => {
    for (const { name } of wanted) if (name !== '*') checkContainer(containers, name)
    const all = wanted.find(({ name }) => name === '*')
    return all ? containers.map(({ name }) => ({ name, image: all.image })) : wanted
  })
}

function parseEnv(pair: string): Record<string, unknown> {
  if (/^[^=]+-$/.test(pair)) return { name: pair.slice(0, -1), $patch: 'delete' }
  const [name, value] = split(pair)
  if (!name || value === undefined) throw usageError(`"${pair}" is neither NAME=VALUE nor NAME-`)
  return { name, value }
}

function split(pair: string): readonly [string, string | undefined] {
  const equals = pair.indexOf('=')
  return equals < 0 ? [pair, undefined] : [pair.slice(0, equals), pair.slice(equals + 1)]
}

function checkContainer(containers: readonly Container[], name: string): void {
  const names = containers.map((container) => container.name)
  if (names.includes(name)) return
  throw new CliError(`there is no container "${name}"`, { fix: didYouMean(name, names) ?? `choose one of ${names.join(', ')}` })
}

async function patchContainers(
  context: CliContext,
  options: SetOptions,
  plan: (containers: readonly Container[]) => readonly Record<string, unknown>[],
): Promise<void> {
  if (!options.what.includes('/')) throw usageError(`"${options.what}" is not KIND/NAME`)
  await using session = connect(context, options)
  for (const { kind, object } of await fetchObjects(session, [options.what], {})) {
    const template = (object as Templated).spec?.template
    if (!template?.spec)
      throw new CliError(`${kind.kind} ${object.metadata.name} has no pod template`, { fix: 'name a deployment or the like' })
    const patch = { spec: { template: { spec: { containers: plan(template.spec.containers) } } } }
    const { namespace, name } = object.metadata
    await session.client.of(kind).patch(name, patch, { namespace, type: 'strategic', fieldManager: 'kubectl-set' })
    context.out.write(`${displayName(kind, name)} updated\n`)
  }
}
