import type { Command, Option } from 'commander'
import { resourcePath } from '../../client/resource-path.ts'
import { connect, type Session } from '../connect.ts'
import { planCompletion, type CommandShape } from '../complete/plan-completion.ts'
import type { CliContext } from '../context.ts'
import type { ConnectOptions } from '../program/options.ts'

/** Time for live names: who presses a key does not wait longer. */
const BUDGET_MS = 300
const MAX_NAMES = 200

/** `biplane __complete WORDS`: what may stand in place of the last word, one a line, with a description behind a tab. Never fails. */
export async function runComplete(context: CliContext, words: readonly string[], program: Command): Promise<void> {
  const plan = planCompletion(shapeOf(program), words)
  const live = plan.live === undefined ? [] : await liveNames(context, plan.live, plan.options).catch(() => [])
  const lines = [...plan.words, ...live.map((value) => ({ value, description: '' }))]
  const current = words.at(-1) ?? ''
  const matching = lines.filter(({ value }) => value.startsWith(current))
  context.out.write(matching.map(({ value, description }) => `${value}\t${description}\n`).join(''))
}

function shapeOf(command: Command): CommandShape {
  const visible = command.createHelp().visibleCommands(command)
  return {
    name: command.name(),
    description: command.description(),
    commands: visible.map(shapeOf),
    options: command.options.filter((option) => !option.hidden).map(optionShape),
    takesObjects: command.registeredArguments.some((argument) => ['what', 'pod'].includes(argument.name())),
    choices: command.registeredArguments[0]?.argChoices ?? [],
  }
}

function optionShape(option: Option): CommandShape['options'][number] {
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  }
}

type Live = NonNullable<ReturnType<typeof planCompletion>['live']>

async function liveNames(context: CliContext, live: Live, options: ConnectOptions): Promise<readonly string[]> {
  const controller = new AbortController()
  const timer = context.clock.after(BUDGET_MS, () => controller.abort(new Error('no time')))
  const session = connect(context, options)
  const late = new Promise<readonly string[]>((_, reject) =>
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error)),
  )
  try {
    return await Promise.race([ask(session, live, controller.signal), late])
  } finally {
    timer.cancel()
  }
}

async function ask(session: Session, live: Live, signal: AbortSignal): Promise<readonly string[]> {
  if (live.type === 'kinds') {
    const kinds = await session.discovery.kinds()
    return [...new Set(kinds.map(({ plural }) => `${plural}${live.suffix}`))].sort()
  }
  const kind = await session.discovery.byResource(live.kind)
  if (!kind) return []
  const path = resourcePath(kind, { namespace: kind.namespaced ? session.namespace : undefined })
  const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json'
  const request = { method: 'GET', path, query: { limit: String(MAX_NAMES) }, headers: { accept }, signal } as const
  const list = (await (await session.client.transport.send(request)).object()) as { items?: readonly { metadata: { name: string } }[] }
  return (list.items ?? []).map(({ metadata }) => `${live.prefix}${metadata.name}`).sort()
}
